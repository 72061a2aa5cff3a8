"""A mixture of normal distributions (mixture density networks, Bishop, 1994; recurrent, Graves, 2013)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.nn import functional as F

from ostinato.layers.stack import check_size
from ostinato.models.heads.gaussian import SMALLEST
from ostinato.models.heads.head import DistributionHead, check_levels

HALVINGS = 60


class Mixture(DistributionHead):
    """Σ_k π_k Π_d N(m_kd, s_kd²): `components` of them, each over all D columns, π = softmax(·)."""

    def __init__(self, input_size: int, size: int, components: int = 5):
        super().__init__(input_size, size)
        check_size("components", components)
        self.components = components
        self.shares = nn.Linear(input_size, components)
        self.parts = nn.Linear(input_size, 2 * components * size)
        with torch.no_grad():  # components that begin alike learn alike
            self.parts.bias[: components * size].normal_()

    def distribution(self, features: Tensor) -> MixtureSameFamily:
        shares, columns = self._parts(features)
        return MixtureSameFamily(shares, Independent(columns, 1, validate_args=False), validate_args=False)

    @torch.no_grad()
    def quantiles(self, features: Tensor, levels: Sequence[float]) -> Tensor:
        check_levels(levels)
        shares, columns = self._parts(features)
        shares = shares.probs.double()[..., None]
        columns = Normal(columns.loc.double(), columns.scale.double())
        quantiles = []
        for level in levels:
            each = columns.icdf(columns.loc.new_tensor(level))  # that of the mixture lies between its components'
            low, high = each.amin(-2), each.amax(-2)
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                is_below = (shares * columns.cdf(middle[..., None, :])).sum(-2) < level
                low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
            quantiles.append(high.to(features))
        return torch.stack(quantiles)

    def _parts(self, features: Tensor) -> tuple[Categorical, Normal]:
        """Return the shares (N, K) and the components (N, K, D)."""
        location, scale = self.parts(features).unflatten(-1, (2, self.components, self.size)).unbind(-3)
        shares = Categorical(logits=self.shares(features), validate_args=False)
        return shares, Normal(location, F.softplus(scale) + SMALLEST, validate_args=False)
