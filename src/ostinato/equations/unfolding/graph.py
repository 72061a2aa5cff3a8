"""A program as boxes and edges, few enough to be looked at.

A parameter or constant that is read once stands inside the box that reads it; sums of sums are one sum, products of
products one product. All else is a box of its own: what comes in, each operation, each named value, what goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ostinato.equations.program import Input, Op, Program

SUMS, PRODUCTS = ("add", "sub"), ("mul",)
SIGNS = {
    "sigmoid": "σ", "neg": "−", "div": "÷", "pow": "^", "gt": ">", "ge": "≥", "lt": "<", "le": "≤", "matmul": "@",
    "matmul_t": "ᵀ@", "maximum": "max", "minimum": "min", "mul": "×", "sum": "Σ", "largest": "max",
}  # fmt: skip
"""How an operation is written where not by its name."""
INFIX = ("div", "pow", "gt", "ge", "lt", "le")
UNORDERED = ("maximum", "minimum")
"""Operations for which it is all the same which operand comes first, beside sums and products."""
FROM = {"input": "input at t", "state": "from t − 1", "time": "time", "mask": "mask", "parameter": "learned"}
"""What stands below the name of what comes in."""


@dataclass(frozen=True)
class Word:
    """A part of what is written in a box."""

    text: str
    value: str | None = None
    """The value of the program it is the name of."""


@dataclass(frozen=True)
class Box:
    """A box of the picture."""

    key: str
    kind: str
    """input | state | parameter | constant | named | operation | port"""
    words: tuple[Word, ...]
    size: str
    """Of the value that leaves it, as H or H × D."""
    title: str
    """The line of the program."""
    note: str = ""
    """Stands small below the words."""


@dataclass(frozen=True)
class Edge:
    """A value on its way from the box that makes it to one that reads it."""

    source: str
    target: str
    mark: str = ""
    """What the reader does with it, where that is not the same for all its operands: −, or its place."""


@dataclass(frozen=True)
class Graph:
    """Boxes in an order in which each stands after those it reads, and the edges between them."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def graph(program: Program) -> Graph:
    """Return the boxes and edges of a step's program."""
    found = _Found(program)
    for entry in program.inputs:
        found.enter(entry)
    for op in program.ops:
        if op.out not in found.inside:
            found.write(op)
    for label, value in program.outputs:
        found.leave(label, value)
    return Graph(tuple(found.boxes), tuple(found.edges))


class _Found:
    def __init__(self, program: Program):
        self.program = program
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.inside = {str(a) for op in program.ops for a in op.args if self._is_written_inside(a, op)}
        """Values without a box of their own."""

    def _is_written_inside(self, value: str | float, reader: Op) -> bool:
        made = self.program.by_name.get(value) if isinstance(value, str) else None
        if made is None or self.program.uses[str(value)] != 1:
            return False
        if isinstance(made, Input):
            return made.role in ("parameter", "constant")
        return made.out.startswith("%") and any(made.fn in same and reader.fn in same for same in (SUMS, PRODUCTS))

    def enter(self, entry: Input) -> None:
        if entry.name in self.inside or not (self.program.uses[entry.name] or entry.role in ("input", "state")):
            return
        note = f"= {entry.default:g}" if entry.default is not None else FROM.get(entry.role, entry.role)
        title = f"{entry.role} {entry.name}"
        self.boxes.append(Box(entry.name, entry.role, (Word(entry.name, entry.name),), _size(entry.shape), title, note))

    def leave(self, label: str, value: str) -> None:
        name = label.removesuffix("'")
        what, title = (", output at t", "the output") if label == "y" else (" to t + 1", f"{name} of the next step")
        words = (Word(name), Word(what))
        self.boxes.append(Box(f"port {label}", "port", words, _size(self.program.shape(value)), title))
        self.edges.append(Edge(value, f"port {label}"))

    def write(self, op: Op) -> None:
        words, operands = self._sum(op) if op.fn in SUMS else self._product(op) if op.fn in PRODUCTS else self._call(op)
        is_named = not op.out.startswith("%")
        named = (Word(op.out, op.out), Word(" = ")) if is_named else ()
        kind = "named" if is_named else "operation"
        self.boxes.append(Box(op.out, kind, (*named, *_joined(words)), _size(op.shape), " ".join(str(op).split())))
        marks: dict[str, list[str]] = {}
        for source, mark in operands:
            marks.setdefault(source, []).append(mark)
        for source, own in marks.items():
            text = "twice" if len(own) > 1 and not any(own) else ", ".join(mark or "+" for mark in own if any(own))
            self.edges.append(Edge(source, op.out, text))

    def _sum(self, op: Op) -> tuple[list[Word], list[tuple[str, str]]]:
        terms = list(self._terms(op))
        edges = [(str(value), "−" if sign < 0 else "") for sign, value in terms if self._has_box(value)]
        if len(edges) == 1:
            words = [w for k, (sign, value) in enumerate(terms) for w in (_sign(sign, k), self._operand(value))]
            return words, [(source, "") for source, _ in edges]
        own = [(sign, value) for sign, value in terms if not self._has_box(value)]
        return [w for sign, value in own for w in (_sign(sign, 1), self._operand(value))] or [Word("+")], edges

    def _terms(self, op: Op, sign: int = 1) -> Iterable[tuple[int, str | float]]:
        for place, value in enumerate(op.args):
            own = -sign if op.fn == "sub" and place else sign
            made = self.program.by_name[value] if value in self.inside else None
            if isinstance(made, Op):
                yield from self._terms(made, own)
            else:
                yield own, value

    def _product(self, op: Op) -> tuple[list[Word], list[tuple[str, str]]]:
        factors = list(self._factors(op))
        words = [w for value in factors if not self._has_box(value) for w in (Word("× "), self._operand(value))]
        return words or [Word("×")], [(str(value), "") for value in factors if self._has_box(value)]

    def _factors(self, op: Op) -> Iterable[str | float]:
        for value in op.args:
            made = self.program.by_name[value] if value in self.inside else None
            if isinstance(made, Op):
                yield from self._factors(made)
            else:
                yield value

    def _call(self, op: Op) -> tuple[list[Word], list[tuple[str, str]]]:
        sign, sources = Word(SIGNS.get(op.fn, op.fn.replace("_", " "))), [str(v) for v in op.args if self._has_box(v)]
        operands = [self._operand(value) for value in op.args]
        if op.fn in ("matmul", "matmul_t"):
            matrix = [] if self._has_box(op.args[0]) else [operands[0], Word(" ")]
            return [*matrix, sign], [(v, "") for v in sources]
        if op.fn == "slice":
            return [Word(f"[{op.start or 0} : + {op.shape[0]}]")], [(v, "") for v in sources]
        if len(sources) > 1:
            marks = [(v, "" if op.fn in UNORDERED else str(k)) for k, v in enumerate(op.args, 1)]
            own = [word for value, word in zip(op.args, operands, strict=True) if not self._has_box(value)]
            listed = [w for word in own for w in (Word(" "), word)]
            return [sign, *listed], [(str(v), mark) for v, mark in marks if self._has_box(v)]
        if len(op.args) == len(sources) == 1:
            return [sign], [(sources[0], "")]
        if op.fn in INFIX:
            return [operands[0], Word(f" {sign.text} "), operands[1]], [(v, "") for v in sources]
        listed = [w for word in operands for w in (Word(", "), word)][1:]
        return [sign, Word("("), *listed, Word(")")], [(v, "") for v in sources]

    def _has_box(self, value: str | float) -> bool:
        return isinstance(value, str) and value not in self.inside

    def _operand(self, value: str | float) -> Word:
        if not isinstance(value, str):
            return Word(f"{value:g}".replace("-", "−"))
        return Word("·") if self._has_box(value) else Word(value, value)


def _sign(sign: int, place: int) -> Word:
    if place == 0:
        return Word("−" if sign < 0 else "")
    return Word(" − " if sign < 0 else " + ")


def _joined(words: Iterable[Word]) -> tuple[Word, ...]:
    """Return the words without empty ones, the first without the blank before it."""
    kept = [word for word in words if word.text]
    return (Word(kept[0].text.lstrip(), kept[0].value), *kept[1:])


def _size(shape: tuple[str, ...]) -> str:
    return " × ".join(size.replace("*", " ") for size in shape) or "1"
