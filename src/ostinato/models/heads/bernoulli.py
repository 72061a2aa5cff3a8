"""A coin for each column: frames of bits whose bits are independent, given the past."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Bernoulli as Distribution
from torch.distributions import Independent

from ostinato.models.heads.head import DistributionHead


class Bernoulli(DistributionHead):
    """P(v_d = 1) = sigmoid(A f + a)_d, each by itself: notes of a chord do not know of each other (see `NADE`)."""

    support = "bits"

    def __init__(self, input_size: int, size: int):
        super().__init__(input_size, size)
        self.scores = nn.Linear(input_size, size)

    def distribution(self, features: Tensor) -> Independent:
        return Independent(Distribution(logits=self.scores(features), validate_args=False), 1, validate_args=False)
