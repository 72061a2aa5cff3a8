"""Lyapunov exponents: how fast states that differ a little come apart, or together, along data, in nats a step.

By the QR method (Benettin, Galgani, Giorgilli and Strelcyn, 1980, Meccanica 15), as Vogt, Puelma Touzel, Shlizerman and
Lajoie (2022, arXiv:2006.14123) and Engelken, Wolf and Abbott (2023, arXiv:2006.02427, section II) use it for recurrent
networks: K tangent vectors are moved by the step Jacobian and made orthonormal again, Q_{t+1} R_{t+1} = J_t Q_t; the
exponents are the means of log |diag R|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.jacobians import products
from ostinato.diagnostics.taps import Tap
from ostinato.diagnostics.visits import longest_path, visited, visits

BLOCKS = 8
"""Of each row, whose means tell how sure the exponents are."""


@dataclass(frozen=True)
class Exponents:
    """Of one layer, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    growths: NDArray[np.float64]
    """(T, B, K): log |diag R| of the steps that count, in nats; NaN where a row has ended."""

    @property
    def values(self) -> NDArray[np.float64]:
        """(K,): nats a step, the largest first; -inf where a direction is lost at a step."""
        return np.sort(np.nanmean(self.growths, axis=(0, 1)))[::-1]

    @property
    def error(self) -> NDArray[np.float64]:
        """(K,): standard errors of `values`, from means of blocks of steps; NaN where there is one block."""
        order = np.argsort(-np.nanmean(self.growths, axis=(0, 1)))
        pieces = np.array_split(self.growths[:, :, order], min(BLOCKS, len(self.growths)))
        full = [piece for piece in pieces if len(piece)]
        means = np.concatenate([piece.mean(0) for piece in full])  # of rows that end within, NaN
        means = means[np.isfinite(means).all(1)]
        return means.std(0, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.full(len(order), np.nan)


def lyapunov(
    model: nn.Module, batch: Any, state: State = None, *, count: int = 8, washout: int | None = None
) -> list[Exponents]:
    """Return the leading Lyapunov exponents of each layer and direction, each row driven by its own data.

    model    with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`. A system of its own
             is a layer whose inputs are zeros. Where a layer runs several times in one loss, its longest run counts.
    count    how many exponents; at most as many as a state has numbers.
    washout  first steps that do not count, while the tangent vectors turn into the leading directions; None is a
             quarter of them.

    >>> import ostinato
    >>> cell = ostinato.cell("h' = 0.5 * h + W @ x", input_size=3, hidden_size=3)
    >>> lyapunov(ostinato.Recurrent(cell), torch.randn(50, 2, 3))[0].values.round(4).tolist()
    [-0.6931, -0.6931, -0.6931]

    Raises ConfigError for a model without recurrence, numbers that cannot be, and where a step is not finite.
    """
    if count < 1:
        raise ConfigError("lyapunov", f"count={count}", "Possible: 1 or more")
    return [_exponents(tap, count, washout) for tap in visited("lyapunov", model, batch, state)]


def _exponents(tap: Tap, count: int, washout: int | None) -> Exponents:
    steps = len(longest_path(tap))
    first = steps // 4 if washout is None else washout
    if not 0 <= first < steps:
        raise ConfigError("lyapunov", f"washout={first}, of {steps} steps", f"Possible: 0 to {steps - 1}")
    growths, alive = _growths(tap, count)
    if not (growths[alive] < np.inf).all():
        got = f"a step of layer {tap.layer + 1} is not finite"
        raise ConfigError("lyapunov", got, "States along the data are finite numbers", "Pass fewer steps")
    return Exponents(tap.network, tap.layer, tap.backwards, growths[first:])


@torch.no_grad()
def _growths(tap: Tap, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return log |diag R| (T, B, K) of all steps, NaN where a row has ended, and where none has, (T, B)."""
    basis = _basis(next(visits(tap)).vectors, count)
    found: list[NDArray[np.float64]] = []
    for each in visits(tap):
        basis, triangle = torch.linalg.qr(products(each)[0](basis[: len(each.vectors)]))
        found.append(triangle.diagonal(dim1=1, dim2=2).abs().double().log().cpu().numpy())
    whole = np.full((len(found), *found[0].shape), np.nan)
    for row, values in zip(whole, found, strict=True):
        row[: len(values)] = values
    return whole, np.arange(len(found[0])) < np.array([[len(values)] for values in found])


def _basis(vectors: Tensor, count: int) -> Tensor:
    """Return orthonormal tangent vectors (B, n, K) to start from."""
    rows, size = vectors.shape
    drawn = torch.randn(rows, size, min(count, size), generator=torch.Generator().manual_seed(0))
    return torch.linalg.qr(drawn.to(vectors))[0]
