"""The mass-conserving LSTM (Hoedt et al., 2021, arXiv:2101.05186)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell
from ostinato.cells.definition import whole
from ostinato.cells.initialisers import INITIALISERS


class MassConservingLSTM(Cell):
    """What flows in is stored, moved between units or given out; none is made or lost.

    The first `mass_size` numbers of x are masses, the others steer the gates; the state c is the mass stored. A plain
    cell, because every row of a batch multiplies by matrices of its own, which equations cannot say.

    Use it where a quantity is conserved: rainfall and runoff, traffic, heat, counts.
    """

    def __init__(self, input_size: int, hidden_size: int, *, mass_size: int = 1, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size = whole("input_size", input_size), whole("hidden_size", hidden_size)
        self.output_size, self.mass_size = self.hidden_size, whole("mass_size", mass_size)
        if mass_size > input_size:
            raise ConfigError("mass_size", f"{mass_size} was given", f"Masses are among the {input_size} inputs")
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        seen = input_size - mass_size + hidden_size
        self.input_gate = nn.Linear(seen, mass_size * hidden_size, **place)
        self.redistribution = nn.Linear(seen, hidden_size * hidden_size, **place)
        self.output_gate = nn.Linear(seen, hidden_size, **place)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the authors' code does: mass stays where it is, and little of it is given out."""
        with torch.no_grad():
            for gate in (self.input_gate, self.redistribution, self.output_gate):
                INITIALISERS["orthogonal"](gate.weight, self.hidden_size)
        nn.init.zeros_(self.input_gate.bias)
        nn.init.eye_(self.redistribution.bias.view(self.hidden_size, self.hidden_size))
        nn.init.constant_(self.output_gate.bias, -3.0)

    def resized(self, input_size: int, hidden_size: int) -> MassConservingLSTM:
        """Return a fresh cell with other sizes and as many masses."""
        like = self.output_gate.weight
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        return MassConservingLSTM(input_size, hidden_size, mass_size=self.mass_size, **place)

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> Tensor:
        """Return no mass: zeros (B, H)."""
        like = self.output_gate.weight
        return torch.zeros(batch_size, self.hidden_size, device=device or like.device, dtype=dtype or like.dtype)

    def step(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Take one step: x (B, D), c (B, H) to (mass given out (B, H), mass stored (B, H))."""
        mass, auxiliary = x.to(c.dtype).split([self.mass_size, self.input_size - self.mass_size], -1)
        stored = c.abs().sum(-1, keepdim=True)
        seen = torch.cat([auxiliary, c / torch.where(stored > 0, stored, 1.0)], -1)
        inwards = _gate(self.input_gate, seen).unflatten(-1, (self.mass_size, self.hidden_size)).softmax(-1)
        around = _gate(self.redistribution, seen).unflatten(-1, (self.hidden_size, self.hidden_size)).softmax(-1)
        total = (mass.unsqueeze(1) @ inwards + c.unsqueeze(1) @ around).squeeze(1)
        outwards = torch.sigmoid(_gate(self.output_gate, seen)) * total
        return outwards, total - outwards

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, mass_size={self.mass_size}"


def _gate(linear: nn.Linear, seen: Tensor) -> Tensor:
    # masses stay in single precision beside narrower weights, or they would not add up
    return linear(seen.to(linear.weight.dtype)).to(seen.dtype)
