"""Reads the files of a forecaster once: series into parts on disk, and what is learned of them: steps, scaling."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from ostinato._errors import ConfigError, DataError
from ostinato.cells.catalogue import build_cell
from ostinato.data.series import Series, SeriesFile, open_series
from ostinato.data.series.calendar import cycles_of
from ostinato.data.series.rolls import NAMES
from ostinato.data.series.times import step_of
from ostinato.data.store import Writer
from ostinato.training.config import above_zero
from ostinato.training.config.forecaster import ForecasterRun, SeriesData
from ostinato.training.forecaster.encoding import Encoder, ForecasterSchema, columns_of, read_lags
from ostinato.training.forecaster.parts import Part, columns, write_parts
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.scaling import Scaling
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped

LEAST = 2
"""Steps of a series that anything is learned from."""
PARTS = ("train", "valid", "test")
REGULAR = 0.01
FORWARD = ("rtrl", "snap", "uoro", "kf-rtrl", "e-prop")
"""Gradients that travel forward with the state, which a forecaster does not learn by."""


def check(run: ForecasterRun) -> None:
    """Refuse settings that cannot be."""
    read_lags(run.data.lags)
    for name, value in (
        *((name, getattr(run.data, name)) for name in ("first", "context", "every", "season")),
        *((name, getattr(run.ahead, name)) for name in ("horizon", "origins", "samples")),
        *((name, getattr(run.model, name)) for name in ("components", "head_size", "states")),
    ):
        above_zero(name, value)
    for name in ("validation", "test"):
        _amount(name, getattr(run.data, name))
    method = run.training.gradient
    if run.model.baseline == "none" and method in FORWARD:
        possible = "A forecaster learns from pieces of different lengths, by back-propagation"
        raise ConfigError("--gradient", method, possible, "Use --gradient full or truncated")


def prepare(run: ForecasterRun, folder: RunFolder, display: Display) -> ForecasterRun:
    """Write the parts into `folder.items` and the schema; return the run with its head chosen."""
    file = open_series(run.data.file, columns_of(run.data), missing=run.data.missing, encoding=run.data.encoding)
    display.say(f"read    {run.data.file}: {file.format}")
    run = _with_head(run, file, display)
    others = [(part, _opened(run.data, name, file)) for part, name in zip(PARTS[1:], _files(run.data), strict=True)]
    preparing = _Preparing(run, file)
    with ExitStack() as stack:
        preparing.begin(stack, folder)
        for series in file:
            preparing.add(series)
        for part, other in others:
            for series in other or ():
                preparing.add_whole(series, part)
    schema = preparing.finished()
    write_schema(folder.schema, schema)
    for line in preparing.lines():
        display.say(line)
    return run


def _with_head(run: ForecasterRun, file: SeriesFile, display: Display) -> ForecasterRun:
    """Choose the head, and refuse one that does not fit."""
    bits, model = file.targets == NAMES, run.model
    if model.head is None:
        head, why = ("nade", "frames of bits") if bits else ("gaussian", "numbers")
        if model.baseline == "none":
            display.say(f"head    {head} ({why})")
        model = replace(model, head=head)
    if bits and model.baseline in ("seasonal-naive", "last-value"):
        advice = "Use --baseline hmm"
        raise ConfigError("--baseline", f"{model.baseline} of frames of bits", "It is for numbers", advice)
    return replace(run, model=model)


class _Preparing:
    """The stores of a run while they are written."""

    def __init__(self, run: ForecasterRun, file: SeriesFile):
        self.run, self.file = run, file
        self.schema: ForecasterSchema | None = None
        self.counts: dict[str, int] = dict.fromkeys(PARTS, 0)
        self.steps: dict[str, int] = dict.fromkeys(PARTS, 0)
        self.filled, self.irregular, self.ahead = 0, False, 0
        self.skipped = Skipped("series")
        self.values = Scaling(len(file.targets))
        self.known = Scaling(len(file.covariates))

    def begin(self, stack: ExitStack, folder: RunFolder) -> None:
        """Read the first series to know the steps, and open the stores."""
        first = next(iter(self.file), None)
        if first is None:
            raise DataError(self.run.data.file, "no series in it", "A series is rows of numbers", "Check the file")
        self.schema = self._schema_of(first)
        self.encoder = Encoder(self.run, self.schema)
        kinds = columns(self.encoder)
        self.writers = {part: stack.enter_context(Writer(folder.items / part, kinds)) for part in PARTS}

    def add(self, series: Series) -> None:
        """Cut a series into parts, unless its file says which one it is."""
        series = _beginning(series, self.run.data.first)
        if series.part is not None:
            self.add_whole(series, series.part)
            return
        steps, data = len(series), self.run.data
        tested, valid = (_steps(getattr(data, name), steps) for name in ("test", "validation"))
        learned = steps - tested - valid
        if learned < LEAST:
            self.skipped.add(f"too short to be cut: {LEAST} steps are to be left to learn from", series.place)
            return
        self._write(
            series, [("train", 0, learned), ("valid", learned, steps - tested), ("test", steps - tested, steps)]
        )

    def add_whole(self, series: Series, part: str) -> None:
        """Add a series to one part."""
        series = _beginning(series, self.run.data.first)
        if not len(series) or (part == "train" and len(series) < LEAST):
            self.skipped.add(f"of fewer than {LEAST} steps", series.place)
            return
        self._write(series, [(part, 0, len(series))])

    def finished(self) -> ForecasterSchema:
        """Return what was learned. Raises DataError where there is nothing to learn from."""
        if not self.counts["train"]:
            lines = "; ".join(self.skipped.lines())
            advice = "Give longer series, or smaller --validation and --test"
            raise DataError(self.run.data.file, "nothing is left to learn from", lines, advice)
        assert self.schema is not None
        self.schema = replace(
            self.schema,
            reads_gaps=self.irregular and not _uses_dt(self.run),
            mean=self.values.mean.tolist(),
            deviation=self.values.deviation.tolist(),
            covariate_mean=self.known.mean.tolist(),
            covariate_deviation=self.known.deviation.tolist(),
        )
        return self.schema

    def lines(self) -> list[str]:
        """Say what was read, filled in and left out."""
        assert self.schema is not None
        steps = ", ".join(
            f"{self.steps[part]:,} {what}"
            for part, what in zip(PARTS, ("to learn from", "to validate", "to test"), strict=True)
        )
        cycles = f"; the calendar: {', '.join(self.schema.cycles)}" if self.schema.cycles else ""
        gaps = "; the time between steps is read" if self.schema.reads_gaps else ""
        gaps = "; the cell reads the time between steps" if self.irregular and not gaps else gaps
        lines = [f"steps   {steps}; a season is {self.schema.season}{cycles}{gaps}"]
        if self.filled:
            lines.append(f"filled  {self.filled:,} missing values are interpolated")
        if self.ahead:
            lines.append(f"ahead   {self.ahead:,} steps of covariates alone are not learned from")
        return lines + self.skipped.lines()

    def _schema_of(self, series: Series) -> ForecasterSchema:
        step = step_of(series.times[: len(series)]) if series.times is not None else None
        data, season = self.run.data, self.run.data.season
        cycles = cycles_of(step, len(series)) if step is not None and data.calendar else ()
        size = len(self.file.targets)
        return ForecasterSchema(
            list(self.file.targets), self.file.is_table, list(self.file.covariates), list(cycles),
            *((step.size, step.unit, True) if step is not None else (1.0, "numbers", False)),
            season=season or (step.season if step is not None else 1),
            mean=[0.0] * size, deviation=[1.0] * size,
            covariate_mean=[0.0] * len(self.file.covariates),
            covariate_deviation=[1.0] * len(self.file.covariates),
        )  # fmt: skip

    def _write(self, series: Series, parts: list[Part]) -> None:
        learned = next((last for part, _, last in parts if part == "train"), 0)
        write_parts(self.writers, self.encoder, series, parts)
        self.values.add(self.encoder.measured(series.values[:learned]))
        self.known.add(series.covariates[:learned])
        self.filled += series.filled
        self.ahead += max(0, len(series.covariates) - len(series)) if series.covariates.shape[1] else 0
        self.irregular = self.irregular or bool((np.abs(self.encoder.gaps(series) - 1) > REGULAR).any())
        for part, first, last in parts:
            self.counts[part] += last > first
            self.steps[part] += last - first


def _uses_dt(run: ForecasterRun) -> bool:
    return run.model.baseline == "none" and bool(build_cell(run.model.cell, 1, 1).uses_dt)


def _beginning(series: Series, first: int | None) -> Series:
    if first is None or len(series) <= first:
        return series
    times = None if series.times is None else series.times[:first]
    return replace(series, values=series.values[:first], covariates=series.covariates[:first], times=times)


def _amount(name: str, text: str) -> float | None:
    """Return a share or a number of steps; None for what is a file. Raises ConfigError for an impossible number."""
    try:
        amount = float(text)
    except ValueError:
        return None
    if not (0 <= amount < 1 or (amount >= 1 and amount.is_integer())):
        raise ConfigError(f"--{name}", f"'{text}'", "A share from 0 to below 1, a number of steps, or a file")
    return amount


def _steps(text: str, steps: int) -> int:
    amount = _amount("", text)
    if amount is None:
        return 0
    return int(amount) if amount >= 1 else round(amount * steps)


def _files(data: SeriesData) -> list[str | None]:
    return [text if _amount(name, text) is None else None for name, text in
            (("validation", data.validation), ("test", data.test))]  # fmt: skip


def _opened(data: SeriesData, name: str | None, file: SeriesFile) -> SeriesFile | None:
    """Open a second file. Raises DataError where its columns are not those of the first."""
    if name is None:
        return None
    other = open_series(Path(name), columns_of(data), missing=data.missing, encoding=data.encoding)
    if other.targets != file.targets:
        got = f"columns {', '.join(other.targets[:5])}"
        raise DataError(name, got, f"{data.file} has {', '.join(file.targets[:5])}", "Name them with --target")
    return other
