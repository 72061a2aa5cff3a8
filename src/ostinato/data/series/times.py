"""Times of steps: read from text, checked to rise, how far apart, and which ones follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError

DATES = "datetime64[us]"
SECOND = np.timedelta64(1, "s")
DAY_S = 86_400.0


@dataclass(frozen=True)
class Step:
    """How far apart times are: `size` numbers, seconds or months (a year is 12)."""

    size: float
    unit: str = "numbers"

    def gaps(self, times: NDArray) -> NDArray[np.float64]:
        """Return the time (T,) since the step before, in steps; 1 for the first."""
        if self.unit == "months":
            # months are not equally long: their number counts, and the part of one that is over
            places = times.astype("datetime64[M]")
            days = (times - places.astype(DATES)) / np.timedelta64(31, "D")
            along = places.astype(np.int64) + days
        elif self.unit == "seconds":
            along = (times - times[0]) / SECOND
        else:
            along = times
        return np.concatenate([[1.0], np.diff(along) / self.size])[: len(times)]

    def after(self, last: Any, count: int) -> NDArray:
        """Return the `count` times that follow `last`."""
        ahead = np.arange(1, count + 1)
        if self.unit == "months":
            month = last.astype("datetime64[M]")
            rest = last - month.astype(DATES)
            return (month + ahead * int(self.size)).astype(DATES) + rest
        if self.unit == "seconds":
            return last + (ahead * self.size * 1e6).astype("timedelta64[us]")
        return last + ahead * self.size

    @property
    def season(self) -> int:
        """How many steps a season has: an hour of minutes, a day of hours, a week of days, a year; else 1."""
        if self.unit == "numbers":
            return 1
        seconds = self.size if self.unit == "seconds" else self.size * 30 * DAY_S
        for longest, period in ((90, 3600), (3 * 3600, DAY_S), (1.5 * DAY_S, 7 * DAY_S), (1e9, 365 * DAY_S)):
            if seconds <= longest:
                return max(1, round(period / seconds))
        return 1


def step_of(times: NDArray) -> Step:
    """Return the usual distance of times: whole months where they are that far apart, else the median."""
    if len(times) < 2:
        return Step(1.0, "seconds" if _are_dates(times) else "numbers")
    if not _are_dates(times):
        return Step(float(np.median(np.diff(times))))
    months = times.astype("datetime64[M]")
    rest = times - months.astype(DATES)
    apart = np.diff(months.astype(np.int64))
    if (rest == rest[0]).all() and (apart > 0).all():
        return Step(float(np.median(apart)), "months")
    return Step(float(np.median(np.diff(times) / SECOND)), "seconds")


def read_time(value: Any, place: str, column: str, form: str | None = None) -> Any:
    """Return a time: a number (float) or a date (datetime64[us], UTC). Raises DataError for what is neither."""
    if isinstance(value, datetime | date):
        return _utc(value)
    if isinstance(value, np.datetime64):
        return value.astype(DATES)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = "" if value is None else str(value).strip()
    if form is not None:
        try:
            return _utc(datetime.strptime(text, form))
        except ValueError:
            raise DataError(
                f"{place}, column {column}", f"the time {text!r}", f"Times are written {form!r}", "Check --time-format"
            ) from None
    for read in (float, lambda t: _utc(datetime.fromisoformat(t)), _month):
        try:
            return read(text)
        except ValueError:
            continue
    raise DataError(
        f"{place}, column {column}",
        f"the time {text!r}",
        "Times are numbers, or dates as 2016-07-01, 2016-07-01 13:00:00, 2016-07",
        "Say how they are written, as --time-format %d.%m.%Y, or name another column with --time",
    )


def as_times(times: Sequence[Any], places: Sequence[str], column: str) -> NDArray:
    """Return times (T,) as one array. Raises DataError where one comes twice, does not rise, or is of another kind."""
    kinds = {type(time) for time in times}
    if len(kinds) > 1:
        k = next(k for k in range(1, len(times)) if type(times[k]) is not type(times[0]))
        raise DataError(f"{places[k]}, column {column}", "a number among dates", "Times are of one kind", "")
    array = np.array(times, dtype=DATES if _is_date(times[0]) else np.float64)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        k = int(np.argmin(np.isfinite(array)))
        raise DataError(f"{places[k]}, column {column}", f"the time {array[k]}", "A time is a finite number", "")
    falls = np.flatnonzero(~(array[1:] > array[:-1]))
    if len(falls):
        k = int(falls[0]) + 1
        again = array[k] == array[k - 1]
        got = f"the time {time_text(array[k])} {'again' if again else f'after {time_text(array[k - 1])}'}"
        advice = "If rows belong to several series, name the column that says so with --item"
        possible = "Times of a series rise" + ("" if again else ": sort the rows")
        raise DataError(f"{places[k]}, column {column}", f"{got} (before it: {places[k - 1]})", possible, advice)
    return array


def time_text(time: Any) -> str:
    """Return a time as text that is read back: a number, or a date as short as it is exact."""
    if not isinstance(time, np.datetime64):
        return f"{float(time):.15g}"
    text = str(time.astype(DATES)).replace("T", " ")
    text = text.removesuffix(".000000")
    return text.removesuffix(" 00:00:00")


def _are_dates(times: NDArray) -> bool:
    return times.dtype.kind == "M"


def _is_date(time: Any) -> bool:
    return isinstance(time, np.datetime64)


def _utc(time: date) -> np.datetime64:
    if isinstance(time, datetime) and time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(time, "us")


def _month(text: str) -> np.datetime64:
    return _utc(datetime.strptime(text, "%Y-%m"))
