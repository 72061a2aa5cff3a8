"""Tagged sequences as they stand in files: sentences of words, or rows of numbers that follow one another."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.frames import frames_format, open_frames
from ostinato.data.frames.gaps import check_missing, without_gaps
from ostinato.data.place import Place
from ostinato.data.rows import column_of, open_rows
from ostinato.data.rows.numbers import is_missing, number
from ostinato.data.rows.row import Row
from ostinato.data.sentences import Sentence, open_sentences
from ostinato.training.config.tagger import TaggedData
from ostinato.training.supervised.record import record

TABLES = (".jsonl", ".ndjson", ".json", ".parquet")
WORD_COLUMNS, TAG_COLUMNS = ("tokens", "words", "form"), ("tags", "ner_tags", "pos_tags", "upos", "labels")
"""What columns of lists are usually called."""


class Item(NamedTuple):
    """A sequence as it was read."""

    place: Place
    """Where it stands, for errors."""
    steps: Sequence[str] | NDArray[np.float32]
    """Words, or frames (T, D)."""
    tags: Sequence[str] | None
    """A tag a step, where the file has them."""
    origin: Any = None
    """The sentence or the rows that it was read from."""
    goes_on: bool = False
    """Whether it is a window that follows the item before it in one sequence."""


class FileOfSentences:
    """Sentences of CoNLL columns, CoNLL-U or text."""

    def __init__(self, data: TaggedData, file: str, *, tagged: bool):
        self.sentences = open_sentences(
            sys.stdin.buffer if file == "-" else Path(file),
            format=data.format,
            word_column=data.word_column,
            tag_column=data.tag_column,
            encoding=data.encoding,
            tagged=tagged,
        )
        self.said = self.sentences.format

    def __iter__(self) -> Iterator[Item]:
        return (Item(s.place, s.words, s.tags, s) for s in self.sentences)

    def write(self, item: Item, tags: Sequence[str], confidence: Sequence[float]) -> Iterator[str]:
        """Yield the lines of the item as they stand in the file, with these tags."""
        return self.sentences.write(item.origin, tags)


class TableOfSentences:
    """Sentences of rows that hold a list of words and a list of tags: JSONL, Parquet, hf:// data sets."""

    def __init__(self, data: TaggedData, file: str, *, tagged: bool):
        self.rows = open_rows(file, format=None, encoding=data.encoding)
        self.words = self._column(data.word_column, WORD_COLUMNS, "--word-column")
        self.tags = self._column(data.tag_column, TAG_COLUMNS, "--tag-column") if tagged else None
        found = f"words in '{self.words}'" + (f", tags in '{self.tags}'" if self.tags else "")
        self.said = f"{self.rows.format}; {found}"

    def __iter__(self) -> Iterator[Item]:
        for row in self.rows:
            words = self._texts(row, self.words)
            tags = None if self.tags is None else self._texts(row, self.tags)
            if tags is not None and len(tags) != len(words):
                got = f"{len(words)} words and {len(tags)} tags"
                raise DataError(str(row.place), got, "Each word has a tag", "Correct the row")
            yield Item(row.place, words, tags, Sentence(row.place, words, tags))

    def write(self, item: Item, tags: Sequence[str], confidence: Sequence[float]) -> Iterator[str]:
        """Yield a word and its tag a line, and a blank one."""
        yield from (f"{word}\t{tag}" for word, tag in zip(item.steps, tags, strict=True))
        yield ""

    def _column(self, asked: str | None, usual: Sequence[str], flag: str) -> str:
        names = [name for name in usual if name in self.rows.columns]
        if asked is None and names:
            return names[0]
        return column_of(self.rows, asked or usual[0], "text", flag=flag).column

    def _texts(self, row: Row, column: str) -> list[str]:
        values = row.value(column)
        if not isinstance(values, (list, tuple, np.ndarray)) or any(not isinstance(v, (str, int)) for v in values):
            got = f"'{column}' holds {values!r:.60}"
            raise DataError(str(row.place), got, 'It holds a list: ["a", "word", "each"]', "Name another column")
        return [str(value) for value in values]


class FileOfFrames:
    """Rows of numbers, one after the other, cut into windows of `data.window` rows where a group ends or before."""

    def __init__(self, data: TaggedData, file: str, *, tagged: bool):
        check_missing(data.missing)
        formats: dict[str, Any] = {} if data.format in ("auto", "rows") else {"format": data.format}
        self.data, self.rows = data, open_rows(file, encoding=data.encoding, **formats)
        self.columns = columns_of_frames(data)
        for name in self.columns:
            column_of(self.rows, name, "text", flag="--frames")
        self.tags = None
        if tagged:
            self.tags = column_of(self.rows, data.tag_column, "label", taken=self.columns, flag="--tag-column").column
        if data.group is not None:
            column_of(self.rows, data.group, "item", flag="--group")
        found = f"frames of {len(self.columns)} columns, {data.window:,} rows a window"
        self.said = f"{self.rows.format}; {found}" + (f", tags in '{self.tags}'" if self.tags else "")

    def __iter__(self) -> Iterator[Item]:
        for _, rows in groupby(self.rows, key=self._group):
            goes_on = False
            while window := list(islice(rows, self.data.window)):
                yield self._item(window, goes_on)
                goes_on = True

    def write(self, item: Item, tags: Sequence[str], confidence: Sequence[float]) -> Iterator[str]:
        """Yield the rows with tag and confidence, as CSV; the names of the columns are `heading`."""
        for row, tag, share in zip(item.origin, tags, confidence, strict=True):
            yield record([*(row.values.get(name, "") for name in self.rows.columns), tag, f"{share:.6f}"])

    def heading(self) -> str:
        """Return the first line of what is written."""
        return record([*self.rows.columns, "predicted", "confidence"])

    def _group(self, row: Row) -> Any:
        return None if self.data.group is None else row.value(self.data.group)

    def _item(self, rows: list[Row], goes_on: bool) -> Item:
        values = np.array([[self._number(row, name) for name in self.columns] for row in rows], np.float32)
        frames = without_gaps(values, self.data.missing, rows[0].place)
        tags = None if self.tags is None else [self._tag(row, self.tags) for row in rows]
        return Item(rows[0].place, frames, tags, rows, goes_on)

    def _number(self, row: Row, name: str) -> float:
        value = row.value(name)
        if self.data.missing != "refuse" and is_missing(value):
            return np.nan
        return number(value, row.place, name, advice="--missing interpolate fills it in, --missing zero puts 0")

    def _tag(self, row: Row, column: str) -> str:
        tag = row.text(column).strip()
        if not tag:
            raise DataError(str(row.place), f"no tag in column '{column}'", "Each row has one", "Correct the row")
        return tag


class FileOfRecordings:
    """Sequences of numbers in .npz, with a tag a step; without tags also .ts and idx. Long ones are cut as rows are."""

    def __init__(self, data: TaggedData, file: str, *, tagged: bool):
        self.window = data.window
        self.recordings = open_frames(file, missing=data.missing, labels="step" if tagged else "none")
        self.said = f"{self.recordings.format}; {data.window:,} steps a window"

    def __iter__(self) -> Iterator[Item]:
        for count, frames in enumerate(self.recordings, 1):
            for first in range(0, len(frames.values), self.window):
                cut = slice(first, first + self.window)
                tags = None if frames.steps is None else frames.steps[cut]
                yield Item(frames.place, frames.values[cut], tags, (count, first), first > 0)

    def write(self, item: Item, tags: Sequence[str], confidence: Sequence[float]) -> Iterator[str]:
        """Yield a line a step, as CSV; the names of the columns are `heading`."""
        count, first = item.origin
        for step, (tag, share) in enumerate(zip(tags, confidence, strict=True), first + 1):
            yield record([count, step, tag, f"{share:.6f}"])

    def heading(self) -> str:
        """Return the first line of what is written."""
        return record(["item", "step", "predicted", "confidence"])


Source = FileOfSentences | TableOfSentences | FileOfFrames | FileOfRecordings


def open_source(data: TaggedData, file: str, *, tagged: bool = True) -> Source:
    """Open a file of tagged sequences; `said` tells what it was taken for. Raises DataError as the readers do."""
    if is_of_recordings(data, file):
        return FileOfRecordings(data, file, tagged=tagged)
    if data.frames is not None:
        return FileOfFrames(data, file, tagged=tagged)
    table = file.startswith("hf://") or Path(file).suffix.lower() in TABLES
    if data.format == "rows" or (data.format == "auto" and table):
        return TableOfSentences(data, file, tagged=tagged)
    return FileOfSentences(data, file, tagged=tagged)


def is_of_recordings(data: TaggedData, file: str) -> bool:
    """Whether a file holds sequences of numbers, by its name."""
    return data.format == "auto" and frames_format(file) is not None


def reads_words(data: TaggedData) -> bool:
    """Whether a run learns from words."""
    return data.frames is None and not is_of_recordings(data, data.file)


def columns_of_frames(data: TaggedData) -> list[str]:
    """Return the columns of numbers that are read."""
    return [name.strip() for name in (data.frames or "").split(",") if name.strip()]
