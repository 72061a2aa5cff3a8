"""A normal distribution for each column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional as F

from ostinato.models.heads.head import DistributionHead, check_levels

SMALLEST = 1e-4
"""Of a scale: a column that never changes would have a density without bound."""


class Gaussian(DistributionHead):
    """N(m, s²) of each column, with m = A f + a and s = softplus(B f + b)."""

    def __init__(self, input_size: int, size: int):
        super().__init__(input_size, size)
        self.parts = nn.Linear(input_size, 2 * size)

    def distribution(self, features: Tensor) -> Independent:
        return Independent(self._columns(features), 1, validate_args=False)

    def quantiles(self, features: Tensor, levels: Sequence[float]) -> Tensor:
        check_levels(levels)
        columns = self._columns(features)
        return torch.stack([columns.icdf(columns.loc.new_tensor(level)) for level in levels])

    def _columns(self, features: Tensor) -> Normal:
        location, scale = self.parts(features).chunk(2, -1)
        return Normal(location, F.softplus(scale) + SMALLEST, validate_args=False)
