"""What all units together say of a track: a ridge regression on one half of the data, its correlation on the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RIDGES = (0.01, 0.1, 1.0, 10.0)
"""Added to the variances of units, each of which is 1: the first where steps are many."""
MANY = 2
"""Steps a unit that are many: with fewer, each track has the ridge that foretells the last third of the first half."""
Half = tuple[Tensor, Tensor]
"""Units (n, U) and tracks (n, K), NaN where a track has no value."""


def readout(first: Half, second: Half, tracks: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return Pearson's r, on the second half, of what the first half says of each of these tracks; NaN of none."""
    found = np.full(len(tracks), np.nan)
    for places in _alike(first[1][:, tracks]):
        found[places] = _of_tracks(first, second, torch.from_numpy(tracks[places]))
    return found


def _alike(values: Tensor) -> list[NDArray[np.integer]]:
    """Return groups of tracks (n, K) that have values at the same steps: one regression serves them all."""
    groups: dict[bytes, list[int]] = {}
    for k, there in enumerate(values.isfinite().T.numpy()):
        groups.setdefault(there.tobytes(), []).append(k)
    return [np.array(group) for group in groups.values()]


def _of_tracks(first: Half, second: Half, tracks: Tensor) -> list[float]:
    there = first[1][:, tracks[0]].isfinite()
    x, y = first[0][there], first[1][there][:, tracks]
    if len(x) < 2:
        return [float("nan")] * len(tracks)
    mean, scale = x.mean(0), x.std(0) + 1e-6
    said = ((second[0] - mean) / scale) @ _weights((x - mean) / scale, y)
    return [_r(mine, second[1][:, k]) for mine, k in zip(said.T, tracks, strict=True)]


def _weights(x: Tensor, y: Tensor) -> Tensor:
    """Return the weights (U, K) of a ridge regression of y (n, K) on centred x (n, U)."""
    if len(x) >= MANY * x.shape[1] or len(x) < 3:
        return _solved(x, y, RIDGES[:1])[0]
    fitted = 2 * len(x) // 3
    unseen, truth = x[fitted:], y[fitted:] - y[:fitted].mean(0)
    best = (unseen @ _solved(x[:fitted], y[:fitted], RIDGES) - truth).square().sum(1).argmin(0)
    return _solved(x, y, RIDGES)[best, :, torch.arange(len(best))].T


def _solved(x: Tensor, y: Tensor, ridges: Sequence[float]) -> Tensor:
    """Return the weights (R, U, K) of each ridge."""
    covariance, shared = x.T @ x / len(x), x.T @ (y - y.mean(0)) / len(x)
    added = torch.eye(len(covariance))
    return torch.stack([torch.linalg.solve(covariance + ridge * added, shared) for ridge in ridges])


def _r(said: Tensor, truth: Tensor) -> float:
    there = truth.isfinite()
    together = torch.stack([said[there].double(), truth[there].double()])
    if together.shape[1] < 2 or not bool((together.std(1) > 0).all()):
        return float("nan")
    return float(torch.corrcoef(together)[0, 1])
