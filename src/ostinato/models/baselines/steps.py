"""Steps read one by one, without what stands around them: what is in a tagger where a recurrent network would be.

Each is `module(read (T, B, E)) -> (T, B, output_size)`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError


class Itself(nn.Module):
    """Each step as it is: with scores above it, a logistic regression (multinomial)."""

    def __init__(self, width: int):
        super().__init__()
        self.output_size = width

    def forward(self, read: Tensor) -> Tensor:
        """Return what is read."""
        return read


class Hidden(nn.Module):
    """One hidden layer over each step. Raises ConfigError for a size that is none."""

    def __init__(self, width: int, hidden_size: int = 128):
        super().__init__()
        if hidden_size < 1:
            raise ConfigError("hidden_size", f"{hidden_size} was given", "A size is at least 1")
        self.output_size = hidden_size
        self.hidden = nn.Linear(width, hidden_size)

    def forward(self, read: Tensor) -> Tensor:
        """Return the hidden layer (T, B, hidden_size)."""
        return torch.relu(self.hidden(read))
