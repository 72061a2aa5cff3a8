"""The mass-conserving LSTM (Hoedt et al., 2021, arXiv:2101.05186, eq. 3 to 8)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell
from ostinato.cells.initialisers import INITIALISERS

orthogonal = INITIALISERS["orthogonal"]


class MassConservingLSTM(Cell):
    """What flows in is stored, moved between units or given out; none is made or lost.

    The first `mass_size` numbers of x are masses, the others steer the gates; the state c is the mass stored. A plain
    cell, because every row of a batch multiplies by matrices of its own, which equations cannot say.
    """

    def __init__(self, input_size: int, hidden_size: int, *, mass_size: int = 1, device=None, dtype=None):
        super().__init__()
        if not 1 <= mass_size <= input_size:
            possible = f"The first of the {input_size} inputs are masses, at least one"
            raise ConfigError("mass_size", f"{mass_size} was given", possible, "")
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.mass_size = mass_size
        sees, place = input_size - mass_size + hidden_size, {"device": device, "dtype": dtype}
        self.input_gate = nn.Linear(sees, mass_size * hidden_size, **place)
        self.redistribution = nn.Linear(sees, hidden_size * hidden_size, **place)
        self.output_gate = nn.Linear(sees, hidden_size, **place)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the authors' code does: mass stays where it is, and little of it is given out."""
        with torch.no_grad():
            for gate in (self.input_gate, self.redistribution, self.output_gate):
                orthogonal(gate.weight, self.hidden_size)
        nn.init.zeros_(self.input_gate.bias)
        nn.init.eye_(self.redistribution.bias.view(self.hidden_size, self.hidden_size))
        nn.init.constant_(self.output_gate.bias, -3.0)

    def resized(self, input_size: int, hidden_size: int) -> MassConservingLSTM:
        """Return a fresh cell with other sizes and as many masses."""
        like = self.output_gate.weight
        return MassConservingLSTM(
            input_size, hidden_size, mass_size=self.mass_size, device=like.device, dtype=like.dtype
        )

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> Tensor:
        """Return no mass: zeros (B, H)."""
        like = self.output_gate.weight
        return torch.zeros(batch_size, self.hidden_size, device=device or like.device, dtype=dtype or like.dtype)

    def step(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Take one step: x (B, D), c (B, H) to (mass given out (B, H), mass stored (B, H))."""
        mass, auxiliary = x[:, : self.mass_size], x[:, self.mass_size :]
        stored = c.abs().sum(-1, keepdim=True)
        seen = torch.cat([auxiliary, c / torch.where(stored > 0, stored, 1.0)], -1)
        inwards = self.input_gate(seen).unflatten(-1, (self.mass_size, self.hidden_size)).softmax(-1)
        around = self.redistribution(seen).unflatten(-1, (self.hidden_size, self.hidden_size)).softmax(-1)
        total = (mass.unsqueeze(1) @ inwards + c.unsqueeze(1) @ around).squeeze(1)
        outwards = torch.sigmoid(self.output_gate(seen)) * total
        return outwards, total - outwards
