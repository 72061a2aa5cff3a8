"""Pictures of forecasts: the past, what came, the median, and bands of 50, 80 and 95 %."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.training.metrics.forecasts import BANDS

COLUMNS = 2


class Fan(NamedTuple):
    """One forecast of one column."""

    title: str
    past: NDArray
    """(P,)"""
    truth: NDArray
    """(H,), or none (0,)."""
    samples: NDArray
    """(S, H); of a point S is 1."""


def draw_fans(path: Path, fans: list[Fan]) -> None:
    """Write forecasts as a PNG, two side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(fans) // COLUMNS)
    columns = min(COLUMNS, len(fans))
    figure = Figure(figsize=(6 * columns, 3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, fan in enumerate(fans, 1):
        _draw(figure.add_subplot(rows, columns, place), fan)
    figure.axes[0].legend(loc="upper left", fontsize="small", frameon=False)
    figure.savefig(path, dpi=120)


def _draw(axes, fan: Fan) -> None:
    # the first step ahead is 1; the last of the past is 0, where all lines begin
    past, ahead = np.arange(1 - len(fan.past), 1), np.arange(fan.samples.shape[1] + 1)
    start = fan.past[-1:]
    axes.plot(past, fan.past, color="black", linewidth=1, label="past")
    if len(fan.truth):
        axes.plot(ahead, np.concatenate([start, fan.truth]), color="black", linewidth=1, linestyle=":", label="came")
    if len(fan.samples) > 1:
        for low, high in reversed(BANDS):
            ends = np.quantile(fan.samples, (low, high), axis=0)
            lower, upper = (np.concatenate([start, end]) for end in ends)
            share = round(100 * (high - low))
            axes.fill_between(ahead, lower, upper, color="tab:blue", alpha=0.2, linewidth=0, label=f"{share} %")
    median = np.concatenate([start, np.median(fan.samples, 0)])
    axes.plot(ahead, median, color="tab:blue", linewidth=1.5, label="median")
    axes.set_title(fan.title, fontsize="medium")
    axes.set_xlabel("steps from now")
    axes.margins(x=0)
