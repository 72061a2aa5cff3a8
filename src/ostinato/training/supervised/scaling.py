"""Mean and deviation of channels, found in one pass over rows that come piece by piece (Welford, 1962)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Scaling:
    """Means and deviations (D,) of rows added piece by piece, merged as Chan, Golub and LeVeque (1979) do.

    >>> scaling = Scaling(1)
    >>> scaling.add([[1.0]])
    >>> scaling.add([[2.0], [3.0]])
    >>> scaling.mean.tolist(), round(float(scaling.deviation[0]), 4)
    ([2.0], 0.8165)
    """

    def __init__(self, width: int):
        self.count, self.mean, self._squares = 0, np.zeros(width), np.zeros(width)

    def add(self, rows: ArrayLike) -> None:
        """Add rows (n, D)."""
        values = np.asarray(rows, np.float64)
        if not len(values):
            return
        mean, total = values.mean(0), self.count + len(values)
        shift = mean - self.mean
        self._squares += ((values - mean) ** 2).sum(0) + shift**2 * self.count * len(values) / total
        self.mean = self.mean + shift * len(values) / total
        self.count = total

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Return the deviation of each channel; 1 of one that does not vary, which is then only shifted."""
        deviation = np.sqrt(self._squares / max(1, self.count))
        return np.where(deviation > 1e-12 * np.maximum(1.0, np.abs(self.mean)), deviation, 1.0)
