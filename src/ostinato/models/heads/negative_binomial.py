"""The negative binomial for each column: counts whose variance exceeds their mean (Salinas et al., 2020, DeepAR)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Independent
from torch.distributions import NegativeBinomial as Distribution
from torch.nn import functional as F

from ostinato.models.heads.head import DistributionHead, check_levels

SMALLEST_SHAPE = 1e-3
LARGEST_LOG_MEAN = 30.0
"""Counts of 1e13: beyond 9e18 a draw is no number any more, and draws may lie far above the mean."""


class NegativeBinomial(DistributionHead):
    """Counts of mean m = exp(A f + a), at most 1e13, and variance m + m² / r, with r = softplus(B f + b)."""

    support = "counts"

    def __init__(self, input_size: int, size: int):
        super().__init__(input_size, size)
        self.parts = nn.Linear(input_size, 2 * size)

    def distribution(self, features: Tensor) -> Independent:
        return Independent(self._columns(features), 1, validate_args=False)

    @torch.no_grad()
    def quantiles(self, features: Tensor, levels: Sequence[float]) -> Tensor:
        from scipy.stats import nbinom

        check_levels(levels)
        columns = self._columns(features)
        shape = columns.total_count.double().cpu().numpy()
        failure = torch.sigmoid(-columns.logits.double()).cpu().numpy()
        return torch.stack([torch.as_tensor(nbinom.ppf(level, shape, failure)).to(features) for level in levels])

    def _columns(self, features: Tensor) -> Distribution:
        mean, shape = self.parts(features).chunk(2, -1)
        shape = F.softplus(shape) + SMALLEST_SHAPE
        # mean = shape * exp(logits)
        return Distribution(shape, logits=mean.clamp(max=LARGEST_LOG_MEAN) - shape.log(), validate_args=False)
