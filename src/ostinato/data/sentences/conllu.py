"""CoNLL-U: ten named columns a word (https://universaldependencies.org/format.html), or those a file names itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.place import Place
from ostinato.data.sentences.sentence import Sentence

NAMES = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
PLUS = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
"""The first line of CoNLL-U Plus, which names the columns of the file."""
WORD = re.compile("[0-9]+")
NO_WORD = re.compile(r"[0-9]+-[0-9]+|[0-9]+\.[0-9]+")
"""ID of a token of several words (1-2), which follow, and of a word that is not there (8.1)."""


@dataclass(frozen=True)
class Conllu:
    """Lines with columns of these names, words among them where ID is a whole number."""

    names: tuple[str, ...]
    word: int
    tag: int

    @classmethod
    def sniffed(cls, first: str, word: str | None, tag: str | None) -> Conllu:
        """Return the layout of a file that begins with the line `first`: words in FORM, tags in UPOS unless named.

        Raises ConfigError for a column that the file has not.
        """
        plus = PLUS.match(first)
        names = tuple(plus[1].split()) if plus else NAMES
        _index("ID", names)
        return cls(names, _index(word or "FORM", names), _index(tag or "UPOS", names))

    @property
    def name(self) -> str:
        """The format, in words."""
        return f"CoNLL-U (words in {self.names[self.word]}, tags in {self.names[self.tag]})"

    def read(self, where: str, number: int, lines: Sequence[str]) -> Sentence:
        """Return the sentence in `lines`. Raises DataError for a line that is no word and no comment."""
        rows = [cells for k, line in enumerate(lines) if (cells := self._row(line, Place(where, number + k)))]
        words, tags = ([cells[column] for cells in rows] for column in (self.word, self.tag))
        return Sentence(Place(where, number), words, tags, lines)

    def write(self, sentence: Sentence, tags: Sequence[str]) -> Iterator[str]:
        """Yield the lines with `tags` in place of theirs; all else stays."""
        given = iter(tags)
        for line in sentence.lines:
            cells = self._row(line, sentence.place)
            if cells is not None:
                cells[self.tag] = next(given)
            yield line if cells is None else "\t".join(cells)

    def _row(self, line: str, place: Place) -> list[str] | None:
        """Return the cells of a word, or None of a comment and of what is no word."""
        if line.startswith("#"):
            return None
        cells = line.split("\t")
        if len(cells) != len(self.names):
            possible = f"CoNLL-U has {len(self.names)} between tabs: {' '.join(self.names)}"
            raise DataError(str(place), f"{len(cells)} columns: {line[:60]!r}", possible, "Correct the line")
        key = cells[self.names.index("ID")]
        if NO_WORD.fullmatch(key):
            return None
        if not WORD.fullmatch(key):
            possible = "It is a number: 1, of several words 1-2, of one that is not there 8.1"
            raise DataError(str(place), f"the ID is {key!r}", possible, "Correct the line")
        if not cells[self.word] or not cells[self.tag]:
            raise DataError(str(place), f"a column is empty: {line[:60]!r}", "What is not known is written _")
        return cells


def looks_like(lines: Sequence[str]) -> bool:
    """Say whether a file that begins with `lines` is CoNLL-U: it names its columns, or has ten and counts words."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    cells = first.split("\t")
    counted = len(cells) == len(NAMES) and bool(WORD.fullmatch(cells[0]) or NO_WORD.fullmatch(cells[0]))
    return counted or bool(lines and PLUS.match(lines[0]))


def _index(name: str, names: Sequence[str]) -> int:
    found = {known.upper(): place for place, known in enumerate(names)}
    if name.upper() not in found:
        near = did_you_mean(name, names)
        raise ConfigError("column", f"'{name}' of a CoNLL-U file", f"It has {', '.join(names)}", near)
    return found[name.upper()]
