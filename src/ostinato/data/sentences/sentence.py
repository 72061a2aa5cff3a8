"""What every reader of sentences gives, and what every way of writing them has in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from ostinato.data.place import Place


class Sentence(NamedTuple):
    """Words of a sentence, with a tag each where the file has tags.

    A block of a file without words, as comments alone are, is a sentence of no words.
    """

    place: Place
    """File and first line; as text "train.conll, line 12"."""
    words: Sequence[str]
    tags: Sequence[str] | None
    lines: Sequence[str] = ()
    """The block as it stands in the file."""


class Layout(Protocol):
    """How a block of lines holds a sentence."""

    @property
    def name(self) -> str:
        """The format, in words."""
        ...

    def read(self, where: str, number: int, lines: Sequence[str]) -> Sentence:
        """Return the sentence in `lines`, whose first is line `number` of `where`. Raises DataError for others."""
        ...

    def write(self, sentence: Sentence, tags: Sequence[str]) -> Iterator[str]:
        """Yield the lines of the sentence with these tags, and what else stood there."""
        ...


def blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of lines that are not blank, each with the number of its first line.

    >>> list(blocks(enumerate(["a", "b", " \\t", "", "c"], 1)))
    [(1, ['a', 'b']), (5, ['c'])]
    """
    first, block = 0, []
    for number, line in lines:
        if not line.strip():
            if block:
                yield first, block
            block = []
            continue
        first = first if block else number
        block.append(line)
    if block:
        yield first, block
