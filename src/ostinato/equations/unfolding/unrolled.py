"""The picture of the unrolled form: a box for each step, states carried between them, layers above each other."""

from __future__ import annotations

from collections.abc import Mapping

from ostinato.equations.unfolding.ink import (
    COLOURS,
    LETTER,
    SMALL,
    Drawing,
    Pieces,
    arrow,
    line,
    rectangle,
    width_of,
    words,
)

STEPS = 3
WIDE, HIGH, LINES = 100.0, 36.0, 15.0
"""A box at least, and what a state needs of its height."""
CARRY, RISE, EDGE = 84.0, 44.0, 22.0
"""Room between boxes beside and above each other, and for what is written at the upper and lower edge."""
SHIFT, OUT, INTO = 62.0, 20.0, 40.0
"""How far the box that reads from the end stands to the right; where edges leave and enter one of two boxes."""
MOST = 3
"""States that have an arrow of their own."""


def draw_unrolled(
    name: str, states: Mapping[str, str], inputs: str, outputs: str, *, layers: int = 1, both_ways: bool = False
) -> Drawing:
    """Draw a network over its first three steps.

    name      of the cell, written in each box.
    states    the size of each state, by name.
    inputs    the size of what is read; outputs, that of what comes out.
    layers    how many stand above each other; both_ways, each of two networks, one of which reads from the end.
    """
    kind = _BothWays if both_ways else _OneWay
    return kind(name, states, layers).drawn(inputs, outputs)


class _OneWay:
    """Layers of one network each."""

    a_layer, shift = 1, 0.0

    def __init__(self, name: str, states: Mapping[str, str], layers: int):
        self.name, self.layers, self.rows = _short(name), layers, layers * self.a_layer
        shown = [(name, f" {size}") for name, size in states.items()]
        self.carried = shown if len(shown) <= MOST else [*shown[: MOST - 1], ("", f"and {len(shown) - MOST + 1} more")]
        self.high = max(HIGH, LINES * (len(self.carried) + 1))
        self.carry = max(CARRY, 20 + max(width_of(self._label(k, STEPS), SMALL) for k in range(len(self.carried))))
        self.wide = max(WIDE, 16 + width_of([(self.name, "", "")]))
        self.pitch = self.wide + self.carry + self.shift
        self.height = 2 * EDGE + self.rows * self.high + (self.rows + 1) * RISE

    def drawn(self, inputs: str, outputs: str) -> Drawing:
        parts = []
        for step in range(STEPS):
            middle = self._left(step, 0) + (self.wide + self.shift) / 2
            for name, size, y in (("x", inputs, self.height - 6), ("y", outputs, 14.0)):
                colour = COLOURS["input" if name == "x" else "named"]
                parts.append(words([(f"{name}_{step + 1}", "", colour), (f" {size}", "", "")], middle, y, bold=True,
                                   anchor="middle"))  # fmt: skip
            for row in range(self.rows):
                parts += [*self._box(step, row), *self._carry_in(step, row)]
            for layer in range(self.layers + 1):
                parts += self._rise(step, layer, middle)
        for row in range(self.rows):
            parts += self._carry_in(STEPS, row)
        return Drawing((STEPS + 1) * self.pitch - self.wide, self.height, tuple(parts))

    def _left(self, step: int, row: int) -> float:
        return (step + 1) * self.pitch - self.wide + self.shift * (row % self.a_layer)

    def _bottom(self, row: int) -> float:
        """Return the lower edge of a row of boxes, the first of which is the lowest."""
        return self.height - EDGE - RISE - row * (self.high + RISE)

    def _top(self, row: int) -> float:
        return self._bottom(row) - self.high

    def _note(self, row: int) -> str:
        return f"layer {row + 1}" if self.layers > 1 else ""

    def _box(self, step: int, row: int) -> list[str]:
        left, top, note = self._left(step, row), self._top(row), self._note(row)
        middle, base = left + self.wide / 2, top + self.high / 2 + 0.35 * LETTER - (6.0 if note else 0.0)
        return [
            f'<g class="step" data-box="{left:.1f} {top:.1f} {self.wide:.1f} {self.high:.1f}">',
            rectangle(left, top, self.wide, self.high, COLOURS["state"]),
            words([(self.name, "", "")], middle, base, anchor="middle", bold=True),
            words([(note, "", "")], middle, base + 13, size=SMALL, anchor="middle"),
            "</g>",
        ]

    def _carry_in(self, step: int, row: int) -> list[str]:
        """Draw the states between the boxes of a step and of the one before it; before the first, after the last."""
        right, left = self._left(step, row), self._left(step - 1, row) + self.wide
        ends = (right, left) if self._reads_backwards(row) else (left, right)
        parts = []
        for k in range(len(self.carried)):
            y = self._top(row) + self.high * (k + 1) / (len(self.carried) + 1) + 1
            label = self._label(k, step + 1 if self._reads_backwards(row) else step)
            parts.append(arrow([(ends[0], y), (ends[1], y)], COLOURS["state"]))
            parts.append(words(label, self._middle(left, right, row), y - 3, size=SMALL, anchor="middle"))
        return parts

    def _label(self, k: int, step: int) -> Pieces:
        """Return what a state is called at a step: h_2, and h_1 (2) where its name has an index already."""
        name, size = self.carried[k]
        if "_" in name:
            return [(name, "", ""), (f" ({step})", "", ""), (size, "", "")]
        return [(f"{name}_{step}" if name.isidentifier() else f"{name} {step}" if name else "", "", ""), (size, "", "")]

    def _reads_backwards(self, row: int) -> bool:
        return row % self.a_layer == 1

    def _middle(self, left: float, right: float, row: int) -> float:
        return (left + right) / 2

    def _rise(self, step: int, layer: int, middle: float) -> list[str]:
        """Draw what goes up into a layer, or out of the last one."""
        low = self._top(layer - 1) if layer else self.height - EDGE
        return [arrow([(middle, low), (middle, self._bottom(layer) if layer < self.layers else EDGE)])]


class _BothWays(_OneWay):
    """Layers of two networks each, one of which reads from the end."""

    a_layer, shift = 2, SHIFT

    def _note(self, row: int) -> str:
        return f"layer {row // 2 + 1} {'←' if row % 2 else '→'}" if self.layers > 1 else "←" if row % 2 else "→"

    def _middle(self, left: float, right: float, row: int) -> float:
        """Return the middle of the part of an edge that nothing crosses."""
        return left + self.carry / 2 if row % 2 else right - self.carry / 2

    def _rise(self, step: int, layer: int, middle: float) -> list[str]:
        below, above = (2 * layer - 2, 2 * layer - 1), (2 * layer, 2 * layer + 1)
        bar = self._top(below[1]) - RISE / 2 if layer else self._bottom(0) + RISE / 2
        joined = [
            (self._left(step, row) + (self.wide - OUT - INTO if row % 2 else OUT), self._top(row)) for row in below
        ]
        if not layer:
            joined = [(middle, self.height - EDGE)]
        parted = [(self._left(step, row) + (self.wide - OUT if row % 2 else INTO), self._bottom(row)) for row in above]
        if layer == self.layers:
            parted = [(middle, EDGE)]
        across = [x for x, _ in joined + parted]
        lines = [line([(x, y), (x, bar)]) for x, y in joined]
        return [*lines, line([(min(across), bar), (max(across), bar)]), *(arrow([(x, bar), (x, y)]) for x, y in parted)]


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
