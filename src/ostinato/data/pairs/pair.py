"""What every reader of pairs gives: a source, and what it is to become."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from ostinato._errors import DataError
from ostinato.data.place import Place
from ostinato.data.units import Side, as_text

Kind: TypeAlias = Literal["parallel", "csv", "tsv", "jsonl", "parquet", "hub", "cmudict", "sigmorphon", "generated"]


class Pair(NamedTuple):
    """A source and its targets. A side is text, or a tuple of symbols that it is cut into already."""

    place: Place
    """Where it stands; as text "fra.txt, line 12"."""
    source: Side
    targets: tuple[Side, ...]
    """The first is learned from; all are references. Empty where the file has none."""


class Pairs:
    """The pairs of a file, in order, one at a time and in constant memory.

    A file is read anew by each iteration; standard input can be iterated once. Iterating raises DataError, naming
    the line, for what cannot be read, and where there is no pair at all.
    """

    name: str
    """The file as errors name it."""
    kind: Kind
    """The format, to be asked for when another file is to be read as this one was."""
    format: str
    """What it was taken for, in words."""
    units: tuple[str, str]
    """The kinds of `Units` that suit the sides, where nobody asks for others."""

    def __init__(self, name: str, kind: Kind, format: str, units: tuple[str, str], read: Callable[[], Iterator[Pair]]):
        self.name, self.kind, self.format, self.units = name, kind, format, units
        self._read = read

    def __iter__(self) -> Iterator[Pair]:
        empty = True
        for pair in self._read():
            empty = False
            yield pair
        if empty:
            advice = "Check how it was made"
            raise DataError(self.name, f"no pairs in it ({self.format})", "One at least is needed", advice)

    def changed(self, change: Callable[[Pair], Pair]) -> Pairs:
        """Return the same pairs, each as `change` gives it."""
        return Pairs(self.name, self.kind, self.format, self.units, lambda: map(change, self._read()))


def why_left_out(pair: Pair) -> str:
    """Say why nothing can be learned from a pair, as `Skipped` counts it; "" where it can.

    >>> why_left_out(Pair(Place("fra.txt", 7), "Run!", (" ",)))
    'without a target'
    """
    source, target = as_text(pair.source).strip(), as_text(pair.targets[0]).strip() if pair.targets else ""
    if not source and not target:
        return "without a word on either side"
    if not source:
        return "without a source"
    return "" if target else "without a target"
