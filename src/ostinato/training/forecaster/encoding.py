"""Series as numbers a forecaster reads, the same while training, testing and in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data.series import Columns, Series
from ostinato.data.series.calendar import on_cycles
from ostinato.data.series.times import Step
from ostinato.models.forecaster import Stretch
from ostinato.models.heads import HEADS
from ostinato.models.heads.head import Support
from ostinato.training.config.forecaster import ForecasterRun, SeriesData

SHORTEST_GAP = 1e-3
"""Of what is read of a gap, in steps: its logarithm has a bound."""


@dataclass(frozen=True)
class ForecasterSchema:
    """What a run learned of its data beside weights."""

    targets: list[str]
    is_table: bool = False
    """Whether the names are those of columns."""
    covariates: list[str] = field(default_factory=list)
    cycles: list[str] = field(default_factory=list)
    """Cycles of the calendar that are read."""
    step: float = 1.0
    unit: str = "numbers"
    """How far apart times are."""
    has_times: bool = False
    season: int = 1
    reads_gaps: bool = False
    """Whether the time since the step before is an input; a cell whose equations use dt reads it there."""
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    """Scaling of each column over all series; of counts, of their logarithm."""
    covariate_mean: list[float] = field(default_factory=list)
    covariate_deviation: list[float] = field(default_factory=list)

    @property
    def spacing(self) -> Step:
        """How far apart times are."""
        return Step(self.step, self.unit)

    @property
    def known(self) -> int:
        """How many numbers are known ahead of each step."""
        return len(self.covariates) + 2 * len(self.cycles) + self.reads_gaps


class Piece(NamedTuple):
    """A piece of one series: t steps that are read, and up to L before them for the lags."""

    values: NDArray[np.float64]
    """(l + t, D), l at most L."""
    known: NDArray
    """(t, C)"""
    gaps: NDArray
    """(t,)"""
    scaling: NDArray[np.float64]
    """(2, D)"""
    warm: int = 0
    """First steps that are not learned from."""


class Encoder:
    """Turns series into what the model of a run reads."""

    def __init__(self, run: ForecasterRun, schema: ForecasterSchema):
        self.run, self.schema, self.lags = run, schema, read_lags(run.data.lags)
        self.before = max(self.lags) + run.model.changes
        self.support: Support = support_of(run)
        if run.model.baseline in ("seasonal-naive", "last-value"):
            self.before = schema.season if run.model.baseline == "seasonal-naive" else 1

    def check(self, series: Series) -> None:
        """Raise DataError for a series of no steps, or of another width than the run's."""
        size, place = len(self.schema.targets), series.place
        if series.values.shape[1] != size:
            names = ", ".join(self.schema.targets[:6])
            raise DataError(place, f"{series.values.shape[1]} numbers a step", f"The run forecasts {size}: {names}", "")
        if not len(series):
            raise DataError(place, "a series of no steps", "A forecast begins after a first value", "")

    def known(self, series: Series, ahead: int = 0) -> NDArray:
        """Return the covariates and what the calendar says (T + H, C) of a series and of `ahead` steps after it.

        Raises DataError where the covariates of those steps are not given.
        """
        steps, schema = len(series) + ahead, self.schema
        if schema.covariates and len(series.covariates) < steps:
            given = len(series.covariates) - len(series)
            possible = f"{', '.join(schema.covariates)} of all {ahead} steps are needed"
            advice = f"Add rows with covariates and no values, or use --horizon {given}" if given else "Add such rows"
            raise DataError(series.place, f"covariates of {given} steps ahead", possible, advice)
        parts = [series.covariates[:steps]] if schema.covariates else [np.zeros((steps, 0))]
        if schema.cycles:
            parts.append(on_cycles(self.times(series, ahead), tuple(schema.cycles)))
        return np.concatenate(parts, 1)

    def gaps(self, series: Series, ahead: int = 0) -> NDArray:
        """Return the time since the step before (T + H,), in steps."""
        if not self.schema.has_times:
            return np.ones(len(series) + ahead)
        return self.schema.spacing.gaps(self.times(series, ahead))

    def times(self, series: Series, ahead: int = 0) -> NDArray:
        """Return the times (T + H,): those given, then those that follow. Raises DataError where there are none."""
        if not self.schema.has_times:
            return np.arange(1.0, len(series) + ahead + 1)
        if series.times is None:
            raise DataError(series.place, "no times", "The run learned from series with times", "Name it with --time")
        times = series.times[: len(series) + ahead]
        missing = len(series) + ahead - len(times)
        return np.concatenate([times, self.schema.spacing.after(times[-1], missing)]) if missing > 0 else times

    def scaling(self, values: NDArray) -> NDArray[np.float64]:
        """Return location and scale (2, D) that a series is read in."""
        size = len(self.schema.targets)
        if self.run.data.scaling == "none" or self.support == "bits":
            return np.stack([np.zeros(size), np.ones(size)])
        if self.run.data.scaling == "column":
            return np.array([self.schema.mean, self.schema.deviation])
        seen = self.measured(values)
        deviation = seen.std(0) if len(seen) else np.ones(size)
        return np.stack([seen.mean(0) if len(seen) else np.zeros(size), np.where(deviation > 1e-12, deviation, 1.0)])

    def measured(self, values: NDArray) -> NDArray:
        """Return values as their scale is measured: of counts, the logarithm."""
        return np.log1p(values) if self.support == "counts" else values

    def stretch(self, pieces: list[Piece]) -> Stretch:
        """Return pieces side by side; one has a step at least. Numbers are moved by their location first, exactly."""
        steps = max(1, *(len(piece.known) for piece in pieces))
        size, rows = len(self.schema.targets), len(pieces)
        values = np.full((self.before + steps, rows, size), np.nan, np.float32)
        known = np.zeros((steps, rows, self.schema.known), np.float32)
        gaps = np.ones((steps, rows), np.float32)
        for k, piece in enumerate(pieces):
            count = len(piece.known)
            first = self.before - (len(piece.values) - count)
            values[first : self.before + count, k] = piece.values - self.moved(piece.scaling)
            known[:count, k] = self._read(piece)
            gaps[:count, k] = piece.gaps
        scaling = np.stack([piece.scaling for piece in pieces], 1).astype(np.float32)
        if self.support == "numbers":
            scaling[0] = 0
        return Stretch(
            torch.from_numpy(values),
            torch.from_numpy(known),
            torch.tensor([len(piece.known) for piece in pieces]),
            torch.from_numpy(scaling),
            torch.from_numpy(gaps),
            torch.tensor([piece.warm for piece in pieces]),
        )

    def moved(self, scaling: NDArray) -> NDArray[np.float64]:
        """Return what is taken off values (D,) before they become float32, so that large ones stay apart."""
        return scaling[0] if self.support == "numbers" else np.zeros_like(scaling[0])

    def ahead(self, known: list[NDArray], gaps: list[NDArray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is known of steps ahead (H, B, C) and their gaps (H, B)."""
        size = len(self.schema.targets)
        pieces = [Piece(np.zeros((len(k), size)), k, g, np.ones((2, size))) for k, g in zip(known, gaps, strict=True)]
        read = np.stack([self._read(piece) for piece in pieces], 1).astype(np.float32)
        return torch.from_numpy(read), torch.from_numpy(np.stack(gaps, 1).astype(np.float32))

    def _read(self, piece: Piece) -> NDArray:
        """Return what is known of each step as it is read (t, C): covariates scaled, and the gap."""
        known, count = piece.known, len(self.schema.covariates)
        mean, deviation = np.array(self.schema.covariate_mean), np.array(self.schema.covariate_deviation)
        scaled = (known[:, :count] - mean) / deviation if count else known[:, :0]
        gap = np.log(np.maximum(piece.gaps, SHORTEST_GAP))[:, None] if self.schema.reads_gaps else known[:, :0]
        return np.concatenate([scaled, known[:, count:], gap], 1)


def support_of(run: ForecasterRun) -> Support:
    """Return what the head of a run says: any numbers, counts or bits."""
    if run.model.baseline != "none":
        return "bits" if run.model.baseline == "hmm" else "numbers"
    return HEADS[run.model.head or "gaussian"].support


def read_lags(text: str) -> tuple[int, ...]:
    """Return the lags, the last value first among them. Raises ConfigError for what is no list of whole numbers."""
    try:
        lags = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        lags = ()
    if not lags or min(lags) < 1:
        raise ConfigError("--lags", f"'{text}'", "Whole numbers from 1, joined by commas, as 1,24,168")
    return lags


def columns_of(data: SeriesData) -> Columns:
    """Return which columns are read."""
    names = {name: _names(getattr(data, name)) for name in ("target", "covariates")}
    return Columns(**names, time=data.time, item=data.item, time_format=data.time_format)


def check_schema(schema: ForecasterSchema, path: str) -> ForecasterSchema:
    """Return the schema. Raises RunError where its parts do not fit one another."""
    sizes = {len(schema.mean), len(schema.deviation), len(schema.targets)}
    if len(sizes) > 1 or not schema.targets or len(schema.covariate_mean) != len(schema.covariates):
        raise RunError(path, "damaged: names and scaling do not fit", "", "Train anew with --overwrite")
    return schema


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def as_series(values: Any, place: str, item: str = "") -> Series:
    """Return an array (T,) or (T, D) as a series. Raises DataError for what is none."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        got = "no finite numbers" if array.size else "no numbers"
        raise DataError(place, got, "A series is an array (T,) or (T, D) of finite numbers", "")
    return Series(item, array, np.zeros((len(array), 0)), None, place)
