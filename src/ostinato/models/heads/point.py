"""A point: one value, by the loss it minimises: the mean (squared), the median (absolute), or between (Huber, 1964)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.models.heads.head import Head

Loss = Literal["squared", "absolute", "huber"]
LOSSES = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}


class Point(Head):
    """One value a column; its loss is no nats. `loss` names it: squared, absolute, or huber with its bend at 1."""

    draws = False

    def __init__(self, input_size: int, size: int, loss: Loss = "squared"):
        super().__init__(input_size, size)
        if loss not in LOSSES:
            raise ConfigError("loss", f"'{loss}' was given", f"Known are {', '.join(LOSSES)}")
        self.kind = loss
        self.values = nn.Linear(input_size, size)

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        return LOSSES[self.kind](self.values(features), targets, reduction="sum")

    def sample(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.values(features)

    def mean(self, features: Tensor) -> Tensor:
        return self.values(features)
