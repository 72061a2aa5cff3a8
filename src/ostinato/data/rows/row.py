"""A row: named values and where they stand; and rows, read one after the other from any file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from ostinato._errors import DataError, did_you_mean
from ostinato.data.objects import json_type
from ostinato.data.place import Place

_FIRST = 100


class Row(NamedTuple):
    """One item of a table."""

    place: Place
    """Where it stands; as text "reviews.csv, line 12"."""
    values: dict[str, Any]
    """What it holds by column: text from CSV and lines of text, what JSONL and Parquet hold otherwise."""

    def value(self, column: str) -> Any:
        """Return what stands in `column`; DataError, naming the columns there are, where it has none."""
        if column not in self.values:
            raise no_column(str(self.place), column, list(self.values))
        return self.values[column]

    def text(self, column: str) -> str:
        """Return what stands in `column` as text: "" for null, 7 as "7"; DataError for a list or an object."""
        value = self.value(column)
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        if isinstance(value, (list, dict, bytes)):
            got = "bytes" if isinstance(value, bytes) else json_type(value)
            possible = "A column of text holds strings, numbers or null"
            raise DataError(str(self.place), f"'{column}' holds {got}", possible, "Name another column")
        return str(value)


class Rows:
    """Rows of a file, a folder or a stream: iterating reads them in order, in constant memory.

    A file is read anew by each iteration; standard input can be iterated once. Iterating raises DataError,
    naming the line, for what cannot be read, and where there is no row at all.
    """

    name: str
    """The file as errors name it."""
    format: str
    """What it was taken for, in words: "CSV, separated by ';', with a header of 5 columns"."""
    columns: tuple[str, ...]
    """The names of the columns; of JSONL those of its first rows."""
    first: tuple[Row, ...]
    """Some rows from its beginning, which are read again by iterating."""

    def __init__(
        self,
        name: str,
        format: str,
        columns: tuple[str, ...],
        read: Callable[[], Iterator[Row]],
        first: tuple[Row, ...] = (),
    ):
        self.name, self.format, self.columns, self.first = name, format, columns, first
        self._read = read

    def __iter__(self) -> Iterator[Row]:
        empty = True
        for row in self._read():
            empty = False
            yield row
        if empty:
            advice = "Check how it was made"
            raise DataError(self.name, f"no rows in it ({self.format})", "One row at least is needed", advice)


def no_column(where: str, column: str, columns: list[str], advice: str = "") -> DataError:
    """Return the error that `column` is not among `columns`, with the nearest of them."""
    possible = f"Columns: {', '.join(repr(name) for name in columns) or 'none'}"
    return DataError(where, f"no column '{column}'", possible, f"{did_you_mean(column, columns)} {advice}".strip())


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` with "a (2)" for the second "a": no column hides another."""
    seen: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in seen:
            number += 1
            free = f"{name} ({number})"
        seen[free] = None
    return tuple(seen)


def beginning(rows: Iterator[Row]) -> tuple[Row, ...]:
    """Return the first hundred rows, or fewer up to one that is damaged: reading will say so."""
    first: list[Row] = []
    with suppress(DataError):
        for row in islice(rows, _FIRST):
            first.append(row)
    return tuple(first)
