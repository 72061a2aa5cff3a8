"""What all units together say of a track: a ridge regression on one half of a text, its correlation on the other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RIDGE = 0.01
"""Added to the variances of units, each of which is 1."""
Half = tuple[Tensor, Tensor]
"""Units (n, U) and tracks (n, K), NaN where a track has no value."""


def readout(first: Half, second: Half, tracks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return Pearson's r, on the second half, of what the first half says of each of these tracks; NaN of none."""
    return np.array([_of_track(first, second, int(k)) for k in tracks], float)


def _of_track(first: Half, second: Half, k: int) -> float:
    (x, y), (unseen, truth) = (_present(half, k) for half in (first, second))
    if len(x) < 2 or len(unseen) < 2:
        return float("nan")
    mean, scale = x.mean(0), x.std(0) + 1e-6
    x = (x - mean) / scale
    said = ((unseen - mean) / scale) @ _weights(x, y)
    together = torch.stack([said.double(), truth.double()])
    r = torch.corrcoef(together)[0, 1] if bool((together.std(1) > 0).all()) else torch.tensor(torch.nan)
    return float(r)


def _weights(x: Tensor, y: Tensor) -> Tensor:
    """Return the weights (U,) of a ridge regression of y (n,) on centred x (n, U)."""
    covariance = x.T @ x / len(x)
    covariance.diagonal().add_(RIDGE)
    return torch.linalg.solve(covariance, x.T @ (y - y.mean()) / len(x))


def _present(half: Half, k: int) -> Half:
    x, y = half
    there = y[:, k].isfinite()
    return (x, y[:, k]) if bool(there.all()) else (x[there], y[there, k])
