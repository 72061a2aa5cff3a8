"""Opens a file of sentences whatever its format, which is sniffed from its first lines and said in words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.lines import numbered_lines, text_encoding
from ostinato.data.readers import check_file
from ostinato.data.sentences.columns import Columns
from ostinato.data.sentences.conllu import Conllu, looks_like
from ostinato.data.sentences.plain import Plain
from ostinato.data.sentences.sentence import Layout, Sentence, blocks

FORMATS = ("auto", "columns", "conllu", "text")
SNIFFED = 1000
"""Lines that are looked at."""


class Sentences:
    """The sentences of a file, in order, one at a time; `format` says in words how they are read.

    A path can be read again and again, standard input once. Raises DataError where a line cannot be read.
    """

    def __init__(self, source: Path | BinaryIO, where: str, encoding: str, choice: _Choice):
        self._source, self._where, self._encoding, self._choice = source, where, encoding, choice
        self._layout: Layout | None = None
        self._begun: Iterator[tuple[int, str]] | None = None

    @property
    def format(self) -> str:
        """How it is read, in words."""
        return self.layout.name

    @property
    def layout(self) -> Layout:
        """How a block of lines holds a sentence, and how it is written."""
        if self._layout is None:
            self._begun = self._lines()
            first = list(itertools.islice(self._begun, SNIFFED))
            self._layout = self._choice.of([line for _, line in first], self._where)
            self._begun = itertools.chain(first, self._begun)
        return self._layout

    def __iter__(self) -> Iterator[Sentence]:
        layout = self.layout
        lines, self._begun = self._begun or self._lines(), None
        if isinstance(layout, Plain):
            return (layout.read(self._where, number, [line]) for number, line in lines)
        return (layout.read(self._where, number, block) for number, block in blocks(lines))

    def write(self, sentence: Sentence, tags: Sequence[str]) -> Iterator[str]:
        """Yield the lines of a sentence with these tags, in the format of the file, and the blank one after it."""
        yield from self.layout.write(sentence, tags)
        yield ""

    def _lines(self) -> Iterator[tuple[int, str]]:
        source = self._source
        with open(source, "rb") if isinstance(source, Path) else nullcontext(source) as file:
            yield from numbered_lines(file, self._where, self._encoding)


def open_sentences(
    source: Path | BinaryIO,
    *,
    format: str = "auto",
    word_column: str | None = None,
    tag_column: str | None = None,
    encoding: str = "utf-8",
    tagged: bool = True,
) -> Sentences:
    """Open the sentences of a path, or of standard input.

    format       one of FORMATS. "auto" is CoNLL-U where the file looks like it, otherwise columns; text only where
                 no tags are needed and the lines are no table.
    word_column  of columns a number from 1 (default: 1); of CoNLL-U a name (default: FORM).
    tag_column   of columns a number, from the end where negative (default: the last); of CoNLL-U (default: UPOS).
    tagged       whether each word must have a tag.

    Raises DataError for a file that is missing or empty, ConfigError for a format or column that is none.
    """
    if format not in FORMATS:
        raise ConfigError("--format", f"'{format}'", f"Known are {', '.join(FORMATS)}", did_you_mean(format, FORMATS))
    if isinstance(source, Path):
        check_file(source)
    where = str(source) if isinstance(source, Path) else "standard input"
    return Sentences(source, where, text_encoding(encoding), _Choice(format, word_column, tag_column, tagged))


class _Choice:
    """What was asked for, and how the layout follows from it and the first lines of a file."""

    def __init__(self, format: str, word: str | None, tag: str | None, tagged: bool):
        self.format, self.word, self.tag, self.tagged = format, word, tag, tagged

    def of(self, lines: Sequence[str], where: str) -> Layout:
        """Return the layout of a file that begins with `lines`."""
        kind = self._kind(lines)
        if kind == "text":
            if self.tagged:
                raise DataError(where, "plain text, without tags", "A tagger learns from CoNLL columns or CoNLL-U")
            return Plain()
        if kind == "conllu":
            return Conllu.sniffed(lines[0], self.word, self.tag)
        rows = [line for line in lines if line.strip()]
        if not rows:
            raise DataError(where, "all lines are blank", "A tagger needs words")
        row = next((line for line in rows if not line.startswith("#")), rows[0])  # a comment is no measure
        layout = Columns.sniffed(row, self.word, self.tag if self.tagged else self._tag_if_there(row))
        if self.tagged and layout.tag is None:
            got = f"the lines have one column: {row[:60]!r}"
            raise DataError(where, got, "A tagger learns from a word and its tag on each line")
        return layout

    def _tag_if_there(self, row: str) -> str | None:
        """Return the column of the tags where the row has it: a file that is to be tagged may have words alone."""
        try:
            Columns.sniffed(row, self.word, self.tag)
        except ConfigError:
            return None
        return self.tag

    def _kind(self, lines: Sequence[str]) -> str:
        if self.format != "auto":
            return self.format
        if looks_like(lines):
            return "conllu"
        return "columns" if self.tagged or _is_table(lines) else "text"


def _is_table(lines: Sequence[str]) -> bool:
    """Whether lines are columns rather than sentences: all as wide, and in blocks of several, or between tabs."""
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    if any("\t" in row for row in rows):
        return True
    several = any(len(block) > 1 for _, block in blocks(enumerate(lines, 1)))
    blank = any(not line.strip() for line in lines)
    return len({len(row.split()) for row in rows}) == 1 and several and blank
