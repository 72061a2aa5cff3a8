"""What one row of a tensor is in a program: vectors side by side. A `cat` is never carried out, only remembered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise

from ostinato.equations.expressions import Node, read_template
from ostinato.equations.functions import EPSILON, FUNCTIONS
from ostinato.equations.lower import lower
from ostinato.equations.program import Builder, Input


class Unreadable(Exception):
    """A step that the functions table cannot say; `reason` is one clause: "its step uses aten.cumsum, …"."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """Pieces side by side, each a value of the program, or a number, and how many numbers it stands for.

    Further axes of a row are laid out flat, the last one fastest.
    """

    pieces: tuple[tuple[str | float, int], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.pieces)

    @property
    def bounds(self) -> list[int]:
        """Where the pieces start, and where the last one ends."""
        return [0, *accumulate(size for _, size in self.pieces)]


def repeated(value: str | float, size: int) -> Row:
    """Return the row that holds one value, or one number `size` times."""
    return Row(((value, size),))


class RowBuilder(Builder):
    """A builder of programs that also computes with rows."""

    def take(self, entry: Input) -> None:
        """Add an input."""
        self.inputs += (entry,)
        self.shapes[entry.name] = entry.shape

    def varying(self) -> set[str]:
        """Return the values that are not the same at every step."""
        found = {i.name for i in self.inputs if i.role in ("input", "time", "state")}
        for op in self.ops:
            if not found.isdisjoint(op.args):
                found.add(op.out)
        return found

    def part(self, row: Row, start: int, stop: int) -> Row:
        """Return what stands between two places of a row."""
        pieces = []
        for (value, size), (first, last) in zip(row.pieces, pairwise(row.bounds), strict=True):
            low, high = max(start, first), min(stop, last)
            if low < high:
                whole = high - low == size or not self.shape(value)
                pieces.append((value if whole else self._slice(str(value), low - first, high - low), high - low))
        return Row(tuple(pieces))

    def cut(self, row: Row, bounds: Iterable[int]) -> Row:
        """Return the same row with further bounds."""
        spans = pairwise(sorted({*row.bounds, *bounds}))
        return Row(tuple(piece for span in spans for piece in self.part(row, *span).pieces))

    def combined(self, formula: str, *rows: Row) -> Row:
        """Return a function of the table, or an expression over a, b and c, for rows of one size."""
        bounds = {bound for row in rows for bound in row.bounds}
        pieces = zip(*(self.cut(row, bounds).pieces for row in rows), strict=True)
        return Row(tuple((self._applied(formula, [value for value, _ in piece]), piece[0][1]) for piece in pieces))

    def vector(self, row: Row) -> str:
        """Return a row as one value that is a vector."""
        if len(row.pieces) != 1:
            raise Unreadable("its step joins vectors (aten.cat) other than to multiply them by a matrix")
        ((value, size),) = row.pieces
        if self.shape(value):
            return str(value)
        for like in [i for i in self.inputs if i.role in ("input", "state") and int(i.shape[0]) >= size]:
            vector = like.name if int(like.shape[0]) == size else self._slice(like.name, 0, size)
            return str(self.emit("where", (0.0, vector, value)))  # the number, as often as the vector is long
        raise Unreadable("its step repeats a number more often than x or a state is long")

    def number(self, row: Row) -> str | float:
        """Return a row of one number as that number."""
        ((value, _),) = row.pieces
        return self.emit("sum", (value,)) if self.shape(value) else value

    def sum(self, row: Row) -> str | float:
        """Return the sum over a row."""
        return self.added(
            self.emit("sum", (v,)) if self.shape(v) else self.emit("mul", (v, float(n))) for v, n in row.pieces
        )

    def mean(self, row: Row) -> str | float:
        """Return the mean over a row."""
        if len(row.pieces) == 1 and self.shape(row.pieces[0][0]):
            return self.emit("mean", (row.pieces[0][0],))
        return self.emit("div", (self.sum(row), float(row.size)))

    def centred(self, row: Row) -> Row:
        """Return a row less its mean."""
        return self.combined("sub", row, repeated(self.mean(row), row.size))

    def normalised(self, function: str, row: Row, bounds: Iterable[int], epsilon: float) -> Row:
        """Return `layer_norm` or `rms_norm` of a row; written out where `bounds` cut it, so that parts can be taken."""
        row = self.cut(row, bounds)
        if len(row.pieces) == 1 and epsilon == EPSILON:
            return repeated(self.emit(function, (self.vector(row),)), row.size)
        if function == "layer_norm":
            row = self.centred(row)
        square = self.mean(self.combined("mul", row, row))
        scale = self.emit("sqrt", (self.emit("add", (square, epsilon)),))
        return self.combined("div", row, repeated(scale, row.size))

    def added(self, terms: Iterable[str | float]) -> str | float:
        """Return the sum of values."""
        total, *rest = terms
        for term in rest:
            total = self.emit("add", (total, term))
        return total

    def _applied(self, formula: str, values: Sequence[str | float]) -> str | float:
        if formula in FUNCTIONS:
            return self.emit(formula, tuple(values))
        return lower(_template(formula), dict(zip("abc", values, strict=False)), self)

    def _slice(self, value: str, start: int, size: int) -> str:
        """Return a part of a vector; of a part, the same part of its whole."""
        source = next((op for op in self.ops if op.out == value and op.fn == "slice"), None)
        if source is not None:
            value, start = str(source.args[0]), start + int(source.start or 0)
        text, shape = str(start) if start else "", (str(size),)
        for op in self.ops:
            if (op.fn, op.args, op.start, op.shape) == ("slice", (value,), text, shape):
                return op.out
        return str(self.emit("slice", (value,), start=text, shape=shape))


@cache
def _template(text: str) -> Node:
    return read_template(text)
