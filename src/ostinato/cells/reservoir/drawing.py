"""How a reservoir is drawn: as many connections into each unit, then scaled (Jaeger, 2001, GMD report 148)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato._errors import ConfigError


def draw_connections(
    tensor: Tensor, hidden_size: int | None = None, *, sparsity: float = 0.0, generator: torch.Generator | None = None
) -> None:
    """Fill a square matrix with connections uniform on ±1, scaled to a spectral radius of 1.

    sparsity   share of a unit's possible connections that is left out; each unit keeps at least one, so that the
               matrix has a cycle, and with it a spectral radius.
    generator  what numbers are drawn from; None is torch's own generator of the CPU.
    """
    check_sparsity(sparsity)
    size = len(tensor)
    options = {"generator": generator, "dtype": torch.float64}
    kept = max(1, round((1 - sparsity) * size))
    chosen = torch.rand(size, size, **options).argsort(1) < kept
    weights = torch.where(chosen, 2 * torch.rand(size, size, **options) - 1, 0.0)
    tensor.copy_(weights / spectral_radius(weights))


def draw_inputs(tensor: Tensor, hidden_size: int | None = None, *, generator: torch.Generator | None = None) -> None:
    """Fill a tensor with numbers uniform on ±1."""
    tensor.copy_(2 * torch.rand(tensor.shape, generator=generator, dtype=torch.float64) - 1)


def spectral_radius(weights: Tensor) -> float:
    """Return the largest absolute eigenvalue of a square matrix."""
    return float(torch.linalg.eigvals(weights.double()).abs().max())


def check_sparsity(sparsity: float) -> None:
    """Refuse a sparsity that leaves no share of connections."""
    if not 0 <= sparsity < 1:
        raise ConfigError("sparsity", f"{sparsity} was given", "It is a share from 0 up to, not including, 1", "")
