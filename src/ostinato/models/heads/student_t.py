"""Student's t for each column: a bell with heavy tails, for series in which something unusual happens at times."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Independent
from torch.distributions import StudentT as Distribution
from torch.nn import functional as F

from ostinato.models.heads.gaussian import SMALLEST
from ostinato.models.heads.head import DistributionHead, check_levels


class StudentT(DistributionHead):
    """m + s·t of each column, with 2 + softplus(·) degrees of freedom, so that its variance is finite."""

    def __init__(self, input_size: int, size: int):
        super().__init__(input_size, size)
        self.parts = nn.Linear(input_size, 3 * size)

    def distribution(self, features: Tensor) -> Independent:
        return Independent(self._columns(features), 1, validate_args=False)

    @torch.no_grad()
    def quantiles(self, features: Tensor, levels: Sequence[float]) -> Tensor:
        from scipy.special import stdtrit

        check_levels(levels)
        columns = self._columns(features)
        freedom = columns.df.double().cpu().numpy()
        standard = [torch.as_tensor(stdtrit(freedom, level)).to(columns.loc) for level in levels]
        return torch.stack([columns.loc + columns.scale * t for t in standard])

    def _columns(self, features: Tensor) -> Distribution:
        freedom, location, scale = self.parts(features).chunk(3, -1)
        return Distribution(2 + F.softplus(freedom), location, F.softplus(scale) + SMALLEST, validate_args=False)
