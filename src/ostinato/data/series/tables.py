"""Series from tables: a row a step, or, where cells hold lists, a row a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ostinato._errors import DataError
from ostinato.data.rows import Row, Rows, column_of, is_missing, number
from ostinato.data.rows.row import no_column
from ostinato.data.series.missing import complete
from ostinato.data.series.series import Columns, Missing, Series, SeriesFile
from ostinato.data.series.times import as_times, read_time

FILLS = "Let it be interpolated with --missing interpolate"
NO_SERIES = "If the column is no series, name those that are with --target"


def table_series(rows: Rows, asked: Columns, missing: Missing) -> SeriesFile:
    """Return the series of a table. Raises DataError for columns that are not there, and on reading for bad cells."""
    for name in (*asked.target, *asked.covariates, *([asked.item] if asked.item else [])):
        if name not in rows.columns:
            raise no_column(rows.name, name, list(rows.columns))
    time, reason = _time_column(rows, asked)
    taken = {time, asked.item, *asked.covariates}
    targets = asked.target or tuple(name for name in rows.columns if name not in taken)
    if not targets:
        got = "no column is left to be forecast"
        raise DataError(rows.name, got, f"Columns: {', '.join(map(repr, rows.columns))}", "Name one with --target")
    reader = _Reader(rows, targets, asked.covariates, time, asked.item, asked.time_format, missing)
    words = f"{rows.format}; {_words(targets)}" + (f"; time '{time}' ({reason})" if time else "; steps are numbered")
    return SeriesFile(targets, asked.covariates, words, reader.read, is_table=True)


@dataclass
class _Found:
    """The rows of a series so far."""

    item: str
    values: list[list[float]] = field(default_factory=list)
    covariates: list[list[float]] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Reader:
    rows: Rows
    targets: tuple[str, ...]
    covariates: tuple[str, ...]
    time: str | None
    item: str | None
    time_format: str | None
    missing: Missing

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return (*self.targets, *self.covariates, *([self.time] if self.time else []))

    def read(self) -> Iterator[Series]:
        """Yield the series as their last rows come."""
        found, ended = None, set()
        for row in self.rows:
            if isinstance(row.value(self.targets[0]), list):
                yield self._of_lists(row)
                continue
            item = row.text(self.item) if self.item else ""
            if found is None or item != found.item:
                if found is not None:
                    ended.add(found.item)
                    yield self._whole(found)
                if item in ended:
                    got = f"the series '{item}' goes on, after others"
                    raise DataError(str(row.place), got, "Rows of a series stand together", "Sort the rows by item")
                found = _Found(item)
            self._add(found, {name: row.value(name) for name in self.columns}, str(row.place))
        if found is not None:
            yield self._whole(found)

    def _of_lists(self, row: Row) -> Series:
        """Read a row that holds a whole series: lists of values, of covariates and of times."""
        place, found = str(row.place), _Found(row.text(self.item) if self.item else str(row.place))
        lists = {name: row.value(name) for name in self.columns}
        if self.time and not isinstance(lists[self.time], list):  # as the time at which it starts
            del lists[self.time]
        for name, cells in lists.items():
            if not isinstance(cells, list):
                raise DataError(place, f"'{name}' is no list", "A row holds a step, or lists: a whole series", "")
        lengths = {name: len(lists[name]) for name in self.targets}
        if len(set(lengths.values())) > 1:
            got = f"lists of different lengths: {', '.join(f'{name} {n}' for name, n in lengths.items())}"
            raise DataError(place, got, "A series has one length", "")
        for step in range(max(map(len, lists.values()))):
            cells = {name: values[step] if step < len(values) else None for name, values in lists.items()}
            self._add(found, cells, f"{place}, step {step + 1}")
        return self._whole(found)

    def _add(self, found: _Found, cells: dict[str, Any], place: str) -> None:
        """Add a step."""
        found.places.append(place)
        found.values.append([_cell(cells[name], place, name) for name in self.targets])
        found.covariates.append([_covariate(cells[name], place, name) for name in self.covariates])
        if self.time in cells:
            found.times.append(read_time(cells[self.time], place, str(self.time), self.time_format))

    def _whole(self, found: _Found) -> Series:
        values = np.array(found.values, np.float64).reshape(-1, len(self.targets))
        covariates = np.array(found.covariates, np.float64).reshape(len(values), len(self.covariates))
        times = as_times(found.times, found.places, str(self.time)) if found.times else None
        if self.covariates:  # steps at the end of which nothing but covariates is known are the future
            known = np.flatnonzero(~np.isnan(values).all(1))
            values = values[: known[-1] + 1 if len(known) else 0]
        values, filled = complete(values, times, found.places, self.targets, self.missing)
        return Series(found.item, values, covariates, times, found.places[0], filled=filled)


def _time_column(rows: Rows, asked: Columns) -> tuple[str | None, str]:
    """Return the column of times and why it was taken; None where there is none."""
    if asked.time is not None:
        return column_of(rows, asked.time, "time")
    taken = (*asked.target, *asked.covariates, *([asked.item] if asked.item else []))
    try:
        return column_of(rows, None, "time", taken=taken)
    except DataError:
        first = rows.columns[0]
        # a first column without a name among others is the index of the table
        is_index = first in ("column 1", "row id") and "column 2" not in rows.columns and len(rows.columns) > 1
        return (first, "the first, without a name") if is_index and first not in taken else (None, "")


def _cell(value: Any, place: str, column: str) -> float:
    return float("nan") if is_missing(value) else number(value, place, column, advice=NO_SERIES)


def _covariate(value: Any, place: str, column: str) -> float:
    return number(value, place, column, advice="A covariate is known at every step: fill it in")


def _words(targets: Sequence[str]) -> str:
    return f"series '{targets[0]}'" if len(targets) == 1 else f"series of {len(targets)} columns"
