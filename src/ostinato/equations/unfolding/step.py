"""The picture of one step: what comes in on the left, its operations, on the right what goes out and on."""

from __future__ import annotations

from html import escape

from ostinato.equations.program import Program
from ostinato.equations.unfolding.graph import FROM, Box, Graph, graph
from ostinato.equations.unfolding.ink import (
    COLOURS,
    LETTER,
    SMALL,
    Drawing,
    Pieces,
    arrow,
    rectangle,
    width_of,
    words,
)
from ostinato.equations.unfolding.layout import Layout, Place, layout

LINE, NOTED, INSIDE = 25.0, 37.0, 8.0
"""Heights of a box of one line and of one with a note below it, and the room left and right of words."""
BETWEEN = 38.0
"""Between columns."""
ENTRY, MARKED = 5.0, 10.0
"""Between edges that end at one box, and where something is written beside them."""


def draw_step(program: Program) -> Drawing:
    """Draw the computational graph of a step."""
    shown = graph(program)
    kinds = {box.key: box.kind for box in shown.boxes}
    first = [key for kind in ("state", "mask", "time", "input") for key in kinds if kinds[key] == kind]
    last = [key for key in kinds if kinds[key] == "port"]
    heights = {box.key: _height(shown, box) for box in shown.boxes}
    placed = layout(heights, [(edge.source, edge.target) for edge in shown.edges], first, last)
    return _Picture(shown, placed).drawn()


def _height(shown: Graph, box: Box) -> float:
    ends = sum(edge.target == box.key for edge in shown.edges)
    return max(NOTED if box.note else LINE, _apart(shown, box.key) * (ends + 1))


def _apart(shown: Graph, key: str) -> float:
    return MARKED if any(edge.mark for edge in shown.edges if edge.target == key) else ENTRY


class _Picture:
    def __init__(self, shown: Graph, placed: Layout):
        self.shown, self.placed = shown, placed
        self.widths = {box.key: _width(box) for box in shown.boxes}
        self.lefts, at = [], 0.0
        self.rights: list[float] = []
        for row in placed.columns:
            wide = max((self.widths.get(place.key, 0.0) for place in row), default=0.0)
            self.lefts.append(at)
            self.rights.append(at + wide)
            beside = [box for box in shown.boxes if placed.boxes[box.key] in row and not _says_its_size(box)]
            sizes = [width_of([(box.size, "", "")], SMALL) for box in beside]
            at += wide + max(BETWEEN, 16.0 + max(sizes, default=0.0))

    def drawn(self) -> Drawing:
        kinds = {box.key: box.kind for box in self.shown.boxes}
        edges = [self._edge(edge.source, edge.target, edge.mark, kinds) for edge in self.shown.edges]
        boxes = [part for box in self.shown.boxes for part in self._box(box)]
        height = max(place.y + place.height / 2 for row in self.placed.columns for place in row)
        return Drawing(self.rights[-1], height, (*edges, *boxes))

    def _left(self, key: str) -> float:
        column = self.placed.boxes[key].column
        room = self.rights[column] - self.lefts[column] - self.widths[key]
        is_outermost = column in (0, len(self.lefts) - 1)
        return self.lefts[column] + (0.0 if is_outermost else room / 2)

    def _box(self, box: Box) -> list[str]:
        place, left, wide = self.placed.boxes[box.key], self._left(box.key), self.widths[box.key]
        top, middle = place.y - place.height / 2, left + wide / 2
        line = place.y + 0.35 * LETTER - (5.0 if box.note else 0.0)
        parts = [f'<g class="{box.kind}" data-box="{left:.1f} {top:.1f} {wide:.1f} {place.height:.1f}">',
                 f"<title>{_escaped(box.title)}</title>"]  # fmt: skip
        if box.kind != "port":
            parts.append(rectangle(left, top, wide, place.height, COLOURS.get(box.kind, "")))
        parts.append(words(_pieces(box), middle, line, anchor="middle", bold=box.kind in ("state", "input")))
        if box.note:
            parts.append(words([(_note(box), "", "")], middle, line + 13, size=SMALL, anchor="middle"))
        if box.kind != "port" and not _says_its_size(box):
            parts.append(words([(box.size, "", "")], left + wide + 3, place.y - 4, size=SMALL - 1))
        return [*parts, "</g>"]

    def _edge(self, source: str, target: str, mark: str, kinds: dict[str, str]) -> str:
        way = self.placed.ways[source, target]
        y = self._entry(target, way[-1] if way else self.placed.boxes[source])
        points = [(self._left(source) + self.widths[source], self.placed.boxes[source].y)]
        for place in way:
            points += [(self.lefts[place.column], place.y), (self.rights[place.column], place.y)]
        end = self._left(target)
        column = self.lefts[self.placed.boxes[target].column]
        points += [(column, y), (end, y)] if end - column > 1 else [(end, y)]
        is_state = kinds[source] == "state" or (target.startswith("port ") and target != "port y")
        drawn = arrow(points, COLOURS["state"] if is_state else "")
        if not mark:
            return drawn
        return drawn + words([(mark, "", "")], end - 9, y - 3, size=SMALL, anchor="end", bold=True)

    def _entry(self, target: str, came: Place) -> float:
        """Return where an edge meets the box it ends at: the higher it comes from, the higher."""
        place = self.placed.boxes[target]
        order = sorted(place.before, key=lambda other: other.y)
        at = next(k for k, other in enumerate(order) if other is came)
        return place.y + _apart(self.shown, target) * (at - (len(order) - 1) / 2)


def _width(box: Box) -> float:
    return max(LINE, width_of(_pieces(box)) + 2 * INSIDE, width_of([(_note(box), "", "")], SMALL) + 2 * INSIDE)


def _says_its_size(box: Box) -> bool:
    """Whether the size stands inside: from what comes in, edges go every way, and would cross it beside the box."""
    return box.kind in FROM


def _note(box: Box) -> str:
    return f"{box.note} ({box.size})" if _says_its_size(box) else box.note


def _pieces(box: Box) -> Pieces:
    inside = "" if box.kind in COLOURS and box.kind != "named" else COLOURS["parameter"]
    return [(w.text, w.value or "", inside if w.value and w.value != box.key else "") for w in box.words]


def _escaped(text: str) -> str:
    return escape(text, quote=False)
