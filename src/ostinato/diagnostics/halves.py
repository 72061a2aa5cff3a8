"""Units compared with tracks, in two halves of data: one chooses the unit of a track, the other judges it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.diagnostics.readout import readout

FITTED = 16_000
"""Steps that a readout is fitted to and judged by, about."""


class Compared(NamedTuple):
    """K tracks compared with U units."""

    chosen: NDArray[np.float64]
    """(K, U) Pearson's r in the half that chooses; 0 of a unit that never changes."""
    held_out: NDArray[np.float64]
    """(K, U) Pearson's r in the other half."""
    readout: NDArray[np.float64]
    """(K,) r in the other half of what all units together say, by a ridge regression on the first."""
    varies: NDArray[np.bool_]
    """(K,): whether a track changes in both halves; the others have no r."""

    def beside(self, other: Compared, is_counted: bool) -> Compared:
        """Return both, the tracks of `other` behind these; they count as unchanging unless it is said."""
        return Compared(
            np.concatenate([self.chosen, other.chosen]),
            np.concatenate([self.held_out, other.held_out]),
            np.concatenate([self.readout, other.readout]),
            np.concatenate([self.varies, other.varies & is_counted]),
        )


class Halves:
    """Steps that are counted a few at a time, `size` in all; any number of them in the memory of a few."""

    def __init__(self, size: int):
        self.sums: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.every = max(1, -(-size // FITTED))
        self.kept: tuple[list[tuple[Tensor, Tensor]], ...] = ([], [])

    def add(self, units: Tensor, tracks: NDArray[np.float64], chooses: NDArray[np.bool_]) -> None:
        """Count steps: units (N, …, U), tracks (N, …, K), NaN where one has no value, and which half each is of (N, …).

        A readout is fitted to some of the first dimension alone, evenly spread.
        """
        values, first = torch.from_numpy(np.ascontiguousarray(tracks)), torch.from_numpy(np.ascontiguousarray(chooses))
        some = slice(None, None, self.every)
        for half, sums, kept in zip((first, ~first), self.sums, self.kept, strict=True):
            new = _sums(units[half].double(), values[half])
            sums[:] = [a + b for a, b in zip(sums, new, strict=True)] if sums else new
            kept.append((units[some][half[some]], values[some][half[some]].float()))

    def compared(self) -> Compared:
        """Return what was found."""
        (chosen, spread), (held_out, held_spread) = map(_correlations, self.sums)
        varies = (spread > 0) & (held_spread > 0)
        first, second = ((_joined(kept, 0), _joined(kept, 1)) for kept in self.kept)
        said = np.full(len(varies), np.nan)
        said[varies] = readout(first, second, np.flatnonzero(varies))
        return Compared(chosen, held_out, said, varies)


def _joined(kept: list[tuple[Tensor, Tensor]], part: int) -> Tensor:
    return torch.cat([pair[part] for pair in kept])


def _sums(x: Tensor, y: Tensor) -> list[Tensor]:
    """Return the sums of units (N, U), tracks (N, K) and their products, where a track has a value."""
    there = y.isfinite()
    y, there = y.where(there, 0.0), there.double()
    sums = [there.sum(0)[:, None], y.sum(0)[:, None], y.square().sum(0)[:, None]]
    return [*sums, there.T @ x, there.T @ x.square(), y.T @ x]


def _correlations(sums: list[Tensor]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Pearson's r (K, U), 0 of a unit that never changes, and the tracks' variances (K,)."""
    n, y, yy, x, xx, xy = sums
    n = n.clamp(min=1)
    within_y, within_x = yy - y * y / n, (xx - x * x / n).clamp(min=0)
    scale = (within_y.clamp(min=0) * within_x).sqrt()
    r = ((xy - x * y / n) / scale).where(scale > 1e-9 * n, 0.0).clamp(-1, 1)
    return r.numpy(), (within_y / n)[:, 0].where(within_y[:, 0] > 1e-9 * n[:, 0], 0.0).numpy()
