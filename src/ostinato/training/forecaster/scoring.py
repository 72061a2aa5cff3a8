"""How good a forecaster is: the loss of each next step, and forecasts of many steps from many origins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.devices import device_of, move
from ostinato.training.forecaster.building import collate
from ostinato.training.forecaster.windows import Asked, Origins, Windows
from ostinato.training.metrics.forecasts import ForecastFigures
from ostinato.training.supervised.batches import in_batches

AT_ONCE = 64
ROWS_AT_ONCE = 20_000
"""Futures that are drawn side by side."""


def loss_name(run: ForecasterRun) -> str:
    """Return what the loss of a step is called: nats of a distribution, else what a point minimises."""
    return run.model.loss if run.model.baseline == "none" and run.model.head == "point" else "nats"


@torch.no_grad()
def step_loss(model: Any, windows: Windows) -> tuple[float, int]:
    """Return the mean loss of the steps that count, and how many they are."""
    total, count = 0.0, 0
    for _, batch in in_batches(windows, "values", AT_ONCE, collate, device_of(model)):
        nats, steps, _ = model.loss(batch)
        total, count = total + float(nats), count + steps
    return total / max(1, count), count


def forecasts(model: Any, origins: Origins, samples: int, seed: int) -> Iterator[tuple[Asked, NDArray]]:
    """Yield what is asked from all origins in groups, and the futures (S, H, B, D) of each."""
    generator, device = torch.Generator(device_of(model)).manual_seed(seed), device_of(model)
    at_once = max(1, ROWS_AT_ONCE // samples)
    for first in range(0, len(origins), at_once):
        asked = origins.batch(np.arange(first, min(first + at_once, len(origins))))
        yield asked, futures(model, asked, origins.horizon, samples, generator, device)


def futures(
    model: Any, asked: Asked, horizon: int, samples: int, generator: torch.Generator, device: torch.device
) -> NDArray[np.float64]:
    """Return futures (S, H, B, D) in the units of the series."""
    drawn = model.forecast(
        move(asked.history, device),
        horizon=horizon,
        covariates=asked.known.to(device),
        dt=asked.gaps.to(device),
        samples=samples,
        generator=generator,
    )
    return drawn.double().numpy(force=True) + asked.moved


def forecast_figures(model: Any, origins: Origins, samples: int, seed: int) -> dict[str, float]:
    """Return the figures of forecasts from all origins, and how many there are."""
    figures = ForecastFigures()
    for asked, drawn in forecasts(model, origins, samples, seed):
        # counts are read as logarithms, whose scale is not that of the counts
        scale = asked.scaling[:, 1] if origins.encoder.support == "numbers" else np.ones_like(asked.scaling[:, 1])
        figures.add(asked.truth, drawn, scale=scale, naive_error=asked.naive)
    return figures.figures() | {"forecasts": len(origins)}


def in_words(found: dict[str, float]) -> str:
    """Say figures in a line.

    >>> in_words({"nats": 1.25, "steps": 90, "mse": 4.0, "scaled_mse": 0.25, "coverage_80": 0.79, "forecasts": 3})
    '1.2500 nats a step; scaled mse 0.2500, 79 % within the band of 80 %'
    """
    losses = {"nats": "nats", "squared": "squared error", "absolute": "absolute error", "huber": "Huber loss"}
    steps = [f"{found[name]:.4f} {words} a step" for name, words in losses.items() if name in found]
    names = {"scaled_mse": "scaled mse", "mase": "MASE", "crps": "CRPS"}
    ahead = [f"{words} {found[name]:.4g}" if name != "scaled_mse" else f"{words} {found[name]:.4f}"
             for name, words in names.items() if name in found]  # fmt: skip
    if "coverage_80" in found:
        ahead.append(f"{100 * found['coverage_80']:.0f} % within the band of 80 %")
    return "; ".join(part for part in (", ".join(steps), ", ".join(ahead)) if part)
