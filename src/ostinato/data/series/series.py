"""`Series`: numbers over time, and what is said of them; the one form that every file is read into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Missing = Literal["error", "interpolate"]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what. Empty or None leaves it to the reader."""

    target: tuple[str, ...] = ()
    """What is to be forecast (default: every column that is nothing else)."""
    covariates: tuple[str, ...] = ()
    """What is known ahead, of the future too."""
    time: str | None = None
    item: str | None = None
    """Says which of several series a row belongs to; rows of one stand together."""
    time_format: str | None = None
    """As of strptime, where times are written in another way than ISO 8601 and numbers."""


@dataclass(frozen=True)
class Series:
    """One series of T steps."""

    item: str
    """Its name; empty where the file holds one."""
    values: NDArray[np.float64]
    """(T, D)."""
    covariates: NDArray[np.float64]
    """(T + F, C): those of F further steps too, of which nothing but the covariates is known."""
    times: NDArray | None
    """(T + F,) rising: numbers (float64) or dates (datetime64[us])."""
    place: str
    """Where it begins, for messages."""
    part: str | None = None
    """The part that the file itself puts it in: train, valid or test."""
    filled: int = 0
    """How many values were missing and are interpolated."""

    def __len__(self) -> int:
        return len(self.values)


class SeriesFile:
    """A file of series, opened; iterating reads them one after the other."""

    def __init__(
        self,
        targets: tuple[str, ...],
        covariates: tuple[str, ...],
        format: str,
        read: Callable[[], Iterator[Series]],
        *,
        is_table: bool = False,
    ):
        self.targets, self.covariates = targets, covariates
        self.format = format
        """What it was taken for, in words."""
        self.is_table = is_table
        """Whether the names are those of columns, by which another file is read alike."""
        self._read = read

    def __iter__(self) -> Iterator[Series]:
        return self._read()
