"""Figures of forecasts: how far off, and how well their spread is known. CRPS and quantile loss are `scoringrules`'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantiles of a forecast: the median, and the ends of the bands of 50, 80 and 95 %."""
BANDS = ((0.25, 0.75), (0.1, 0.9), (0.025, 0.975))


class ForecastFigures:
    """Sums figures over forecasts that come in groups; `figures` says them.

    mse, mae       of the mean and of the median; `scaled_mse` and `scaled_mae` in units of what the model reads.
    mase           mae over that of the seasonal-naive forecast in what was learned from, or else in what stands
                   before the forecast (Hyndman and Koehler, 2006).
    crps           of the samples, and `quantile_loss`, its mean over levels, doubled: both in units of the series.
    coverage_80    share of values within the band that should hold 80 of 100, and so on.
    """

    def __init__(self, levels: Sequence[float] = LEVELS):
        self.levels = tuple(levels)
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(
        self,
        truth: NDArray,
        samples: NDArray,
        *,
        scale: NDArray | None = None,
        naive_error: NDArray | None = None,
    ) -> None:
        """Add forecasts: the truth (H, B, D) and samples (S, H, B, D), of which one alone is a point.

        scale        (B, D), what a number is divided by before the model reads it.
        naive_error  (B, D), the mean absolute error of the seasonal-naive forecast; 0 leaves a series out of `mase`.
        """
        mean, median = samples.mean(0), np.median(samples, 0)
        self._add("mse", (mean - truth) ** 2)
        self._add("mae", np.abs(median - truth))
        if scale is not None:
            self._add("scaled_mse", ((mean - truth) / scale) ** 2)
            self._add("scaled_mae", np.abs((median - truth) / scale))
        if naive_error is not None:
            known = np.broadcast_to(naive_error > 0, truth.shape)
            error = np.broadcast_to(naive_error, truth.shape)[known]
            self._add("mase", np.abs(median - truth)[known] / error)
        if len(samples) > 1:
            self._add_spread(truth, samples)

    def figures(self) -> dict[str, float]:
        """Return the means; a figure that no value tells of is left out."""
        return {name: total / self._counts[name] for name, total in self._sums.items() if self._counts[name]}

    def _add_spread(self, truth: NDArray, samples: NDArray) -> None:
        from scoringrules import crps_ensemble, quantile_score

        self._add("crps", crps_ensemble(truth, samples, m_axis=0))  # pyright: ignore[reportArgumentType]
        quantiles = np.quantile(samples, self.levels, axis=0)
        losses = [2 * quantile_score(truth, q, level) for level, q in zip(self.levels, quantiles, strict=True)]
        self._add("quantile_loss", np.mean(losses, 0))
        for low, high in BANDS:
            if low in self.levels and high in self.levels:
                ends = quantiles[self.levels.index(low)], quantiles[self.levels.index(high)]
                inside = (truth >= ends[0]) & (truth <= ends[1])
                self._add(f"coverage_{round(100 * (high - low))}", inside)

    def _add(self, name: str, values: NDArray) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + float(values.sum())
        self._counts[name] = self._counts.get(name, 0) + values.size


def naive_error(values: NDArray, season: int) -> NDArray:
    """Return the mean absolute difference (D,) of values (T, D) a season apart; 0 where there are no two."""
    if len(values) <= season:
        return np.zeros(values.shape[1])
    return np.abs(values[season:] - values[:-season]).mean(0)
