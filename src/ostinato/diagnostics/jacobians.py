"""What a step does to small changes of a state: its Jacobian ∂s_{t+1}/∂s_t along data, by numbers that say it.

A gradient is multiplied by one at each step back, so it cannot grow faster than the largest singular value does nor
shrink faster than the least (Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063, equations 5 to 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.matrices import plain_growth, recurrent_matrices
from ostinato.diagnostics.taps import Tap
from ostinato.diagnostics.visits import Visit, visit, visited

WHOLE = 600
"""Numbers of a state, up to which whole Jacobians are computed; of larger ones the leading singular values."""
LEADING, ROUNDS = 8, 30
"""How many those are, and in how many rounds they are found."""
EIGENVALUES = 1500
"""About so many are computed of a layer, of Jacobians spread over those looked at: they take longest."""
TOGETHER = 64
"""Rows of a Jacobian that are computed at a time."""

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Spectrum:
    """The steps of one layer, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    size: int
    """n, the numbers of a state."""
    singular: NDArray[np.floating]
    """(N, n): singular values of N Jacobians, the largest first; of states above `WHOLE` numbers the leading ones."""
    eigenvalues: NDArray[np.complexfloating] | None
    """(M, n): of the Jacobians, or of some where n is large; None for states above `WHOLE` numbers."""
    growth_of_weights: float | None
    """The spectral norm ‖U‖ of a plain network s' = φ(U s + …): a bound of `growth` on any data."""
    weights: dict[str, NDArray[np.complexfloating]] = field(default_factory=dict)
    """Eigenvalues (H,) of the matrices that multiply the state, as the equations name them."""

    @property
    def growth(self) -> float:
        """The largest of all singular values: no step that was looked at lets a change, or a gradient, grow by more."""
        return float(self.singular[:, 0].max())


def jacobian_spectrum(model: nn.Module, batch: Any, state: State = None, *, steps: int | None = 12) -> list[Spectrum]:
    """Return, for each layer and direction, what its step Jacobians along data are like.

    model  with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`.
    steps  how many are looked at, evenly spread over the data, of each row; None for all.

    All parts of a state count, side by side: of an LSTM h and c. Layers run once on the eager engine, in evaluation
    mode. Raises ConfigError for a model without recurrence, and where a state is not finite.
    """
    if steps is not None and steps < 1:
        raise ConfigError("jacobian_spectrum", f"steps={steps}", "Possible: 1 or more, or None for all")
    taps = visited("jacobian_spectrum", model, batch, state)
    return [_spectrum(model, tap, steps) for tap in taps]


def jacobian(found: Visit) -> Tensor:
    """Return ∂s'/∂s of a step, (B, n, n): row i is the gradient of number i of the state after it."""
    pull = torch.func.vjp(found.move, found.vectors)[1]
    rows, size = found.vectors.shape
    basis = torch.eye(size, dtype=found.vectors.dtype, device=found.vectors.device)[:, None].expand(size, rows, size)
    pulled = torch.func.vmap(lambda row: pull(row)[0], chunk_size=TOGETHER)(basis)
    return pulled.transpose(0, 1).detach()


def _spectrum(model: nn.Module, tap: Tap, steps: int | None) -> Spectrum:
    count = len(tap.steps)
    taken = np.unique(np.linspace(0, count - 1, count if steps is None else min(steps, count)).astype(int))
    found = [visit(tap.steps[k]) for k in taken]
    size = found[0].vectors.shape[1]
    singular, eigenvalues = _whole(found) if size <= WHOLE else (_leading(found), None)
    if not np.isfinite(singular).all():
        got = f"a Jacobian of layer {tap.layer + 1} is not finite"
        raise ConfigError("jacobian_spectrum", got, "States along the data are finite numbers", "Pass fewer steps")
    layers: Any = model.get_submodule(tap.network).layers
    cell = layers[tap.layer][int(tap.backwards)]
    weights = {name: np.linalg.eigvals(_array(matrix)) + 0j for name, matrix in recurrent_matrices(cell).items()}
    return Spectrum(tap.network, tap.layer, tap.backwards, size, singular, eigenvalues, plain_growth(cell), weights)


def _whole(found: list[Visit]) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
    matrices = _array(torch.cat([jacobian(each) for each in found]))
    if not np.isfinite(matrices).all():
        return np.full(matrices.shape[:2], np.nan), np.full(matrices.shape[:2], np.nan + 0j)
    some = max(1, min(len(matrices), EIGENVALUES // matrices.shape[1]))
    spread = np.linspace(0, len(matrices) - 1, some).astype(int)
    return np.linalg.svd(matrices, compute_uv=False), np.linalg.eigvals(matrices[spread]) + 0j


def _leading(found: list[Visit]) -> NDArray[np.float64]:
    return np.concatenate([_array(_by_iteration(each)) for each in found])


def _by_iteration(found: Visit) -> Tensor:
    """Return the leading singular values (B, LEADING) of a Jacobian J, by subspace iteration with J and J.T."""
    rows, size = found.vectors.shape
    forth, back = products(found)
    start = torch.randn(rows, size, LEADING, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(start.to(found.vectors))[0]
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(back(forth(basis)))[0]
    return torch.linalg.svdvals(forth(basis))


def products(found: Visit) -> tuple[Product, Product]:
    """Return what multiplies columns (B, n, K) by the Jacobian J of a step, and by J.T; J itself is not made.

    J.T u is linear in u, so its own transpose is J: two reverse passes, which every operation has.
    """
    pull = torch.func.vjp(found.move, found.vectors)[1]
    push = torch.func.vjp(lambda row: pull(row)[0], torch.zeros_like(found.vectors))[1]
    return (lambda columns: _each(push, columns)), (lambda columns: _each(pull, columns))


def _each(function: Callable[[Tensor], tuple[Tensor]], columns: Tensor) -> Tensor:
    """Return what a function of (B, n) makes of each of the columns (B, n, K)."""
    return torch.func.vmap(lambda column: function(column)[0], in_dims=2)(columns).movedim(0, 2).detach()


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().double().cpu().numpy()
