"""A reservoir as it is inspected: its cell over a series, and the squared error of what its readout says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.cells.cell import State
from ostinato.data.tasks.sequence_task import Sequences
from ostinato.layers.recurrent import Recurrent
from ostinato.models.reservoir import ReservoirModel


class Driven(nn.Module):
    """The layers of a reservoir, with a loss whose gradient may be followed: its readout is solved for without one."""

    def __init__(self, model: ReservoirModel):
        super().__init__()
        self.recurrent, self.readout = Recurrent(model.cell), model.readout

    def loss(self, sequences: Sequences, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the squared errors summed over all steps, how many numbers they are of, the state)."""
        hidden, state = self.recurrent(sequences.inputs, state)
        seen = torch.cat([torch.ones_like(hidden[..., :1]), sequences.inputs, hidden], -1)
        errors = seen @ self.readout.T - sequences.targets
        return errors.square().sum(), errors.numel(), state

    def plans(self) -> list[str]:
        """Return the engine that runs it and why."""
        return self.recurrent.plans()
