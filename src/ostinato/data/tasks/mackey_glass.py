"""The Mackey-Glass series (Mackey and Glass, 1977, doi:10.1126/science.267326): chaos with a delay."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ostinato._errors import ConfigError

STEP = 0.1


def mackey_glass(
    steps: int, rows: int = 1, *, delay: int = 17, washout: int = 1000, generator: torch.Generator | None = None
) -> Tensor:
    """Return series (steps, rows), float64, one number a unit of time, each begun from its own random past.

        dy/dt = 0.2 y(t - delay) / (1 + y(t - delay)¹⁰) - 0.1 y

    It is chaotic from a delay of 16.8 on. `washout` units of time pass before the first number. Integrated by Heun's
    rule in steps of 0.1, for which the delayed value needs no interpolation. Jaeger's networks read tanh(y - 1).
    """
    for name, number, least in (("steps", steps, 1), ("rows", rows, 1), ("delay", delay, 1), ("washout", washout, 0)):
        if number < least:
            raise ConfigError(name, f"{number} was given", f"It is at least {least}")
    behind, each = round(delay / STEP), round(1 / STEP)
    begin = 0.5 + torch.rand(rows, generator=generator, dtype=torch.float64).numpy()
    # row k + behind is the series at k * STEP; the rows before it are its constant past
    series = np.empty((behind + (washout + steps - 1) * each + 1, rows))
    series[: behind + 1] = begin
    grown = _growth(begin)
    for k in range(len(series) - behind - 1):
        y, before = series[k + behind], grown
        grown = _growth(series[k + 1])
        slope = before - 0.1 * y
        series[k + behind + 1] = y + STEP / 2 * (slope + grown - 0.1 * (y + STEP * slope))
    return torch.from_numpy(series[behind + washout * each :: each].copy())


def _growth(delayed: np.ndarray) -> np.ndarray:
    square = delayed * delayed
    fourth = square * square
    return 0.2 * delayed / (1 + fourth * fourth * square)  # twice as fast as ** 10
