"""CoNLL columns: a word a line, its tag in another column, sentences between blank lines (Tjong Kim Sang, 2002)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostinato._errors import ConfigError, DataError
from ostinato.data.place import Place
from ostinato.data.sentences.sentence import Sentence

DOCUMENT = "-DOCSTART-"
"""The word that begins a document in the files of CoNLL 2003, and is none."""
_SPACES = re.compile("[ \t]+")


@dataclass(frozen=True)
class Columns:
    """Lines of `width` columns. A line that begins with # and has another number of them is a comment."""

    width: int
    separator: str
    """A tab, or a space for any run of spaces."""
    word: int
    tag: int | None

    @classmethod
    def sniffed(cls, line: str, word: str | None, tag: str | None) -> Columns:
        """Return the layout of a file in which `line` holds a word; the columns are named by their numbers, from 1.

        Without names, the word comes first and the tag last. Raises ConfigError for a number that no column has.
        """
        separator = "\t" if "\t" in line else " "
        width = len(_cells(line, separator))
        last = str(width) if width > 1 else None
        places = [None if name is None else _place(name, width) for name in (word or "1", tag or last)]
        assert places[0] is not None
        return cls(width, separator, places[0], places[1])

    @property
    def name(self) -> str:
        """The format, in words.

        >>> Columns.sniffed("Paris NNP B-place", None, None).name
        'CoNLL columns (3, between spaces; words in 1, tags in 3)'
        """
        tags = "no tags" if self.tag is None else f"tags in {self.tag + 1}"
        return f"CoNLL columns ({self.width}, {self._between}; words in {self.word + 1}, {tags})"

    @property
    def _between(self) -> str:
        return "between tabs" if self.separator == "\t" else "between spaces"

    def read(self, where: str, number: int, lines: Sequence[str]) -> Sentence:
        """Return the sentence in `lines`. Raises DataError for a line with more or fewer columns."""
        rows = [cells for k, line in enumerate(lines) if (cells := self._row(line, Place(where, number + k)))]
        tags = None if self.tag is None else [cells[self.tag] for cells in rows]
        return Sentence(Place(where, number), [cells[self.word] for cells in rows], tags, lines)

    def write(self, sentence: Sentence, tags: Sequence[str]) -> Iterator[str]:
        """Yield the lines with `tags` in place of theirs, or as a last column; comments stay."""
        given = iter(tags)
        for line in sentence.lines:
            cells = self._row(line, sentence.place)
            if cells is None:
                yield line
                continue
            place = self.width if self.tag is None else self.tag
            yield self.separator.join([*cells[:place], next(given), *cells[place + 1 :]])

    def _row(self, line: str, place: Place) -> list[str] | None:
        """Return the cells of a line, or None of a comment and of the beginning of a document."""
        cells = _cells(line, self.separator)
        if len(cells) != self.width:
            if line.startswith("#"):
                return None
            raise DataError(
                str(place),
                f"{len(cells)} columns: {line[:60]!r}",
                f"The first line with a word has {self.width}, {self._between}",
                "Correct the line",
            )
        if cells[self.word] == DOCUMENT:
            return None
        for column, what in ((self.word, "word"), (self.tag, "tag")):
            if column is not None and not cells[column]:
                raise DataError(str(place), f"the {what} is missing: {line[:60]!r}", "", "Correct the line")
        return cells


def _cells(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "\t" else _SPACES.split(line.strip(" "))


def _place(name: str, width: int) -> int:
    """Return the index of a column named by its number, from 1, or from the end."""
    try:
        number = int(name)
    except ValueError:
        number = 0
    if not 1 <= abs(number) <= width:
        possible = f"Columns are numbers from 1 to {width}, or from -1, the last, to -{width}"
        raise ConfigError("column", f"'{name}' of lines with {width}", possible)
    return number - 1 if number > 0 else width + number
