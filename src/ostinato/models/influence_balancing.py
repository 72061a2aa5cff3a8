"""Influence balancing (Tallec and Ollivier, 2017, arXiv:1702.05043, section 4): near and far effects oppose each other.

With the signs s and the chain A = 1/2 on the diagonal and above it, x_{t+1} = A x_t + θ s. The input of unit i arrives
at unit 0 only i steps later or more; the first ten push it up with θ, the thirteen behind them down. So a little more θ
raises unit 0 soon and lowers it in the end: its limit is -6 θ. The loss is 1/2 (x[0] - 1)², least at θ = -1/6.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

UNITS, POSITIVE = 23, 10
BEST = -1 / 6
"""The θ of the least loss."""


class InfluenceBalancing(nn.Module):
    """The system, its one number to learn θ, and the loss of its outputs. It reads nothing: inputs say how many steps.

    >>> system = InfluenceBalancing()
    >>> states, last = system(torch.zeros(3, 1, 0))
    >>> states.shape
    torch.Size([3, 1, 23])
    """

    def __init__(self, theta: float = 0.5):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))
        signs = torch.ones(UNITS, dtype=torch.float64)
        signs[POSITIVE:] = -1
        self.signs: Tensor
        self.chain: Tensor
        self.register_buffer("signs", signs)
        self.register_buffer("chain", (torch.eye(UNITS) + torch.diag(torch.ones(UNITS - 1), 1)).double() / 2)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states (T, B, 23) after each of T steps, and the last (B, 23)."""
        state = self.initial_state(inputs.shape[1]) if state is None else state
        push, transposed, states = self.theta * self.signs, self.chain.T, []
        for _ in range(inputs.shape[0]):
            state = torch.addmm(push, state, transposed)
            states.append(state)
        return torch.stack(states), state

    def initial_state(self, batch_size: int) -> Tensor:
        """Return ones."""
        return self.signs.new_ones(batch_size, UNITS)

    def loss(self, states: Tensor) -> Tensor:
        """Return the loss summed over states (T, B, 23)."""
        return (states[..., 0] - 1).square().sum() / 2

    def effect(self, steps: int) -> list[float]:
        """Return how much unit 0 rises with θ after 1, 2, … `steps` steps: the slope that truncation there sees."""
        reached, found = torch.zeros_like(self.signs), []
        for _ in range(steps):
            reached = self.chain @ reached + self.signs
            found.append(float(reached[0]))
        return found
