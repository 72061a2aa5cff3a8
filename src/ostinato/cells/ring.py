"""Where a complex diagonal matrix starts: eigenvalues on a ring of the unit disc (arXiv:2303.06349, lemma 3.2)."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ostinato._errors import ConfigError

if TYPE_CHECKING:
    from ostinato.cells.initialisers import Initialiser

TINY = 1e-7
"""Nearest to 0 and to 1 that a share is drawn: there logarithms have no end."""


def ring(r_min: float = 0.0, r_max: float = 1.0, max_phase: float = 2 * math.pi) -> dict[str, Initialiser]:
    """Return initialisers of an LRU: eigenvalues spread evenly over a ring, or a slice of one. Its name does the same:

    >>> import ostinato
    >>> cell = ostinato.CATALOGUE["lru"].build(4, 8, initialisers="ring(0.9, 0.999)")
    >>> cell.nu.exp().neg().exp().min().item() > 0.89
    True

    Raises ConfigError unless 0 <= r_min < r_max <= 1 and max_phase is above 0.
    """
    if not 0 <= r_min < r_max <= 1:
        raise ConfigError("ring", f"from {r_min:g} to {r_max:g}", "Radii are 0 <= r_min < r_max <= 1")
    if not max_phase > 0:
        raise ConfigError("ring", f"max_phase {max_phase:g}", "A phase is above 0, and 2 pi is a whole turn")
    return {"nu": partial(_radius, r_min, r_max), "theta": partial(_phase, max_phase)}


def unit_gain(gamma: Tensor, nu: Tensor) -> None:
    """Set gamma to log sqrt(1 - |lambda|²): states then have inputs' variance, however long their memory."""
    gamma.copy_((-(-2 * nu.double().exp()).expm1()).log() / 2)


def half_lecun(tensor: Tensor, hidden_size: int) -> None:
    """Normal, so that the two parts of a complex number have a variance of 1 / columns together."""
    tensor.normal_(std=(2 * tensor.shape[1]) ** -0.5)


def _radius(r_min: float, r_max: float, tensor: Tensor, hidden_size: int) -> None:
    squared = _shares(tensor) * (r_max**2 - r_min**2) + r_min**2
    tensor.copy_((-0.5 * squared.log()).log())


def _phase(max_phase: float, tensor: Tensor, hidden_size: int) -> None:
    tensor.copy_((_shares(tensor) * max_phase).log())


def _shares(tensor: Tensor) -> Tensor:
    """Return numbers between 0 and 1, fine enough for a logarithm whatever the type of `tensor`."""
    return torch.empty_like(tensor, dtype=torch.float64).uniform_(TINY, 1 - TINY)
