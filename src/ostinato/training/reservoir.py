"""Fits a reservoir's readout to a series, and measures it as published: closed form, no steps, no gradient.

This is the one call behind `ostinato train reservoir`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.cells.reservoir.drawing import spectral_radius
from ostinato.data.tasks.mackey_glass import mackey_glass
from ostinato.data.tasks.sequence_task import Sequences
from ostinato.models.reservoir import ReservoirModel, delayed, memory_capacity
from ostinato.training import config
from ostinato.training.config import ReservoirRun, above_zero, check_seed
from ostinato.training.devices import kept_threads, processes
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_tensors, write_text

HORIZON, TEST_ROWS, TEACHER_STEPS = 84, 50, 1000
OTHER_SEED = 1 << 40
"""Added to the seed of a run: the series to test on is another one."""


@dataclass(frozen=True)
class Fitted:
    """What was reached: `figures` by name, in the folder of the run."""

    folder: Path
    figures: dict[str, float]
    seconds: float


def train(run: ReservoirRun, display: Display) -> Fitted:
    """Fit as `run` says. Raises OstinatoError for what cannot be done."""
    folder = RunFolder(run.folder, ReservoirRun())
    if processes() > 1:
        got = f"{processes()} processes were started"
        raise ConfigError("train reservoir", got, "A readout is solved for in one", "Start it without torchrun")
    if run.resume:
        raise ConfigError(
            "--resume", "a readout is solved for at once", "There is nothing to go on with", "Leave it out"
        )
    for name, value in (("steps", run.series.steps), ("threads", run.training.threads)):
        above_zero(name, value)
    check_seed(run.training.seed)
    if run.training.seed >= OTHER_SEED:
        raise ConfigError("--seed", f"seed is {run.training.seed}", f"Of a reservoir it is below {OTHER_SEED}")
    with torch.random.fork_rng(), kept_threads(), folder.beginning(run.overwrite) as staging:
        if run.training.threads is not None:
            torch.set_num_threads(run.training.threads)
        run, began = config.with_cell_text(run), time.monotonic()
        model = build_model(run)
        display.say(_announced(run, folder, model))
        figures = MEASURES[run.series.series](run, model)
        write_text(staging.config, config.to_yaml(run, __version__))
        write_tensors(staging.model, model.state_dict(), figures, run.kind)
        staging.append_metrics({"step": 0, **figures})
        folder.settle(staging, run.overwrite)
    return Fitted(folder.path, figures, time.monotonic() - began)


def measure_mackey_glass(run: ReservoirRun, model: ReservoirModel) -> dict[str, float]:
    """Fit on one series and predict 84 steps of 50 others (Jaeger, 2001, section 6; Jaeger and Haas, 2004).

    Each of the 50 is read for 1,000 steps, then the network runs on its own output; compared is the 84th value.
    "nrmse84" is the root of the mean squared error over the variance of the 50 series.
    """
    seen = torch.Generator().manual_seed(run.training.seed)
    other = torch.Generator().manual_seed(run.training.seed + OTHER_SEED)
    series = (mackey_glass(run.series.steps + 1, generator=seen) - 1).tanh()[..., None]
    errors = model.fit(series[:-1], series[1:], washout=run.series.washout, ridge=run.series.ridge)
    test = mackey_glass(TEACHER_STEPS + HORIZON, TEST_ROWS, generator=other)
    outputs = model.generate((test[:TEACHER_STEPS, :, None] - 1).tanh(), HORIZON)[-1, :, 0]
    predicted = 1 + torch.atanh(outputs.clamp(-1 + 1e-12, 1 - 1e-12))
    nrmse = float(((predicted - test[-1]).square().mean() / test.var()).sqrt())
    return {"nrmse84": nrmse, "log10_nrmse84": math.log10(nrmse), "fitted_mse": errors[run.series.ridge]}


def measure_memory(run: ReservoirRun, model: ReservoirModel) -> dict[str, float]:
    """Sum how well each past input is read from the state: "capacity", and its share of the units."""
    generator = torch.Generator().manual_seed(run.training.seed)
    steps = run.series.steps - run.series.washout
    read = memory_capacity(model, steps, washout=run.series.washout, generator=generator)
    capacity, units = float(read.sum()), model.cell.hidden_size
    return {"capacity": capacity, "share": capacity / units, "beyond": float(read[units:].sum())}


MEASURES = {"mackey-glass": measure_mackey_glass, "memory-capacity": measure_memory}


def other_series(run: ReservoirRun, model: ReservoirModel, steps: int, rows: int) -> Sequences:
    """Return series that nothing was fitted on, with what `model` is to say of them at each step."""
    generator = torch.Generator().manual_seed(run.training.seed + OTHER_SEED)
    if run.series.series == "mackey-glass":
        series = (mackey_glass(steps + 1, rows, generator=generator) - 1).tanh()[..., None]
        inputs, targets = series[:-1], series[1:]
    else:
        inputs = torch.rand(steps, rows, 1, dtype=torch.float64, generator=generator) - 0.5
        targets = torch.stack([delayed(row, len(model.readout)) for row in inputs[..., 0].T], 1)
    return Sequences(inputs, targets, torch.ones(steps, rows, dtype=torch.bool))


def build_model(run: ReservoirRun) -> ReservoirModel:
    """Return the reservoir as it is drawn from the seed of the run, with a readout of zeros."""
    torch.manual_seed(run.training.seed)
    settings = run.model
    # a reservoir may remember a little beyond as many steps as it has units
    outputs = 1 if run.series.series == "mackey-glass" else settings.hidden_size + settings.hidden_size // 4
    values: dict[str, Any] = dict(settings.keywords)
    return ReservoirModel(
        1,
        settings.hidden_size,
        outputs,
        settings.cell,
        bias=settings.bias,
        initialisers=settings.initialisers,
        **values,
    )


def _announced(run: ReservoirRun, folder: RunFolder, model: ReservoirModel) -> str:
    cell: Any = model.cell
    scale = getattr(cell, "constants", {}).get("spectral_radius")
    radius = "" if scale is None else f", spectral radius {scale * spectral_radius(cell.W):.3f}"
    return "\n".join(
        [
            f"series  {run.series.series}, {run.series.steps:,} steps, the first {run.series.washout:,} not fitted",
            f"model   {run.model.hidden_size} x {run.model.cell}{radius}",
            f"run     {folder.path}",
        ]
    )
