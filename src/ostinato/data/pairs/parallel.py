"""Two files, of which line n of one is what line n of the other becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from ostinato._errors import ConfigError, DataError
from ostinato.data.pairs.pair import Pair, Pairs
from ostinato.data.place import Place
from ostinato.data.rows.source import Source, first_lines, lines_of, source_of

_UNITS = ("word", "word")


def parallel_pairs(source: Source, targets: str | None, encoding: str) -> Pairs:
    """Read the lines of `source` beside those of the file `targets`; None where there are no targets.

    White space at the ends of a line is none of it; a blank line is a side without words. Raises DataError with
    both counts where one file has more lines than the other.
    """
    first_lines(source, encoding)
    if targets is None:
        return Pairs(source.name, "parallel", "lines of text", _UNITS, lambda: _alone(source, encoding))
    other = source_of(targets)
    first_lines(other, encoding)
    words = f"lines beside those of {other.name}"
    return Pairs(source.name, "parallel", words, _UNITS, lambda: _beside(source, other, encoding))


def targets_beside(source: str, targets: str, other: str) -> str:
    """Return the file that holds the targets of `other`, named as `targets` is beside `source`.

    >>> targets_beside("train.de.gz", "train.en.gz", "val.de.gz")
    'val.en.gz'

    Raises ConfigError where the names differ in no such way.
    """
    ours, theirs, asked = (_named(name) for name in (source, targets, other))
    differ = [(a, b) for a, b in zip(ours, theirs, strict=False) if a != b]
    if len(ours) == len(theirs) and len(set(differ)) == 1:
        word, becomes = differ[0]
        last = max((place for place, part in enumerate(asked) if part == word), default=-1)
        if last >= 0:
            return "".join([*asked[:last], becomes, *asked[last + 1 :]])
    got = f"its targets stand in no file whose name follows from '{Path(source).name}' and '{Path(targets).name}'"
    possible = "Of train.de and train.en it follows that those of val.de stand in val.en"
    raise ConfigError(other, got, possible, "Rename the files, or give pairs in one file")


def _named(name: str) -> list[str]:
    """Cut a name where a language may stand in it; what separates the parts is kept."""
    return re.split(r"([._/-])", name)


def _alone(source: Source, encoding: str) -> Iterator[Pair]:
    for number, line in lines_of(source, encoding):
        yield Pair(Place(source.name, number), line.strip(), ())


def _beside(source: Source, other: Source, encoding: str) -> Iterator[Pair]:
    both = zip_longest(lines_of(source, encoding), lines_of(other, encoding))
    for number, (ours, theirs) in enumerate(both, 1):
        if ours is None or theirs is None:
            more = number + sum(1 for _ in both)
            counts = (number - 1, more) if ours is None else (more, number - 1)
            raise _uneven(source, other, counts)
        yield Pair(Place(source.name, number), ours[1].strip(), (theirs[1].strip(),))


def _uneven(source: Source, other: Source, counts: tuple[int, int]) -> DataError:
    return DataError(
        source.name,
        f"{counts[0]:,} lines, where {other.name} has {counts[1]:,}",
        "Line n of one becomes line n of the other, so both have as many",
        "Check that they belong together and that none was cut short",
    )
