"""The naive forecast: what was a season ago, with the spread that this was wrong by (Hyndman and Athanasopoulos, 2021,
"Forecasting: principles and practice", sections 5.2 and 5.5). With a season of 1, the last value."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ostinato._errors import ConfigError
from ostinato.models.forecaster import Stretch
from ostinato.models.heads.gaussian import SMALLEST


class SeasonalNaive(nn.Module):
    """Say of each step N(value a season before, s² k), k being how many seasons that lies beyond what is known.

    `fit` measures s of each column, in the scale that values are read in. Used as a `Forecaster` is.
    """

    deviation: Tensor

    def __init__(self, size: int, season: int = 1):
        super().__init__()
        self.size, self.season = size, season
        self.register_buffer("deviation", torch.ones(size))

    @property
    def before(self) -> int:
        """How many steps before the first a stretch holds."""
        return self.season

    def fit(self, stretches: Iterable[Stretch]) -> None:
        """Measure the spread over all steps that count and have a value a season before.

        Raises ConfigError where there are none.
        """
        squares, count = torch.zeros(self.size, dtype=torch.float64), 0
        for stretch in stretches:
            errors = (stretch.inputs - self._said(stretch)) / stretch.scaling[1]
            known = errors[stretch.counted & ~errors.isnan().any(-1)].double()
            squares, count = squares + known.square().sum(0).cpu(), count + len(known)
        if not count:
            got = f"{self.season}, and no step has a value so many steps before"
            raise ConfigError("--season", got, "A season is shorter than a series", "Name a shorter one with --season")
        self.deviation.copy_((squares / count).sqrt() + SMALLEST)

    def loss(self, stretch: Stretch, state: None = None) -> tuple[Tensor, int, None]:
        """Return (nats summed over the steps that count and have a value a season before, how many they are, None)."""
        errors = (stretch.inputs - self._said(stretch)) / stretch.scaling[1]
        known = errors[stretch.counted & ~errors.isnan().any(-1)]
        return -Normal(0.0, self.deviation).log_prob(known).sum(), len(known), None

    def count(self, stretch: Stretch) -> int:
        """Return how many steps count."""
        return self.loss(stretch)[1]

    def forecast(
        self,
        history: Stretch,
        *,
        horizon: int,
        samples: int = 100,
        generator: torch.Generator | None = None,
        **_: object,
    ) -> Tensor:
        """Return `samples` futures (S, H, B, D)."""
        steps = torch.arange(horizon, device=history.lengths.device)
        ago = self.season - steps % self.season  # from the end of what is known
        at = (self.season + history.lengths[None] - ago[:, None])[..., None].expand(-1, -1, self.size)
        said = history.values.gather(0, at.clamp(min=0))
        first = history.values.nan_to_num(0.0)[self.season :][:1]
        said = torch.where(said.isnan(), first.expand_as(said), said)  # a history shorter than a season
        spread = self.deviation * (1 + steps // self.season).sqrt()[:, None, None] * history.scaling[1]
        half = torch.randn((samples // 2, *said.shape), generator=generator, device=said.device)
        rest = said.new_zeros((samples % 2, *said.shape))  # of an odd number, one is the mean
        drawn = torch.cat([half, -half, rest])  # so that their mean is exact
        return said + drawn * spread

    def plans(self) -> list[str]:
        """Return what runs it: nothing recurrent."""
        return ["none (a baseline without recurrence)"]

    def initial_state(self, batch_size: int) -> None:
        """Return None: there is no state."""

    def _said(self, stretch: Stretch) -> Tensor:
        """Return the value a season before each step (T, B, D), NaN where the series had not begun."""
        return stretch.values[: len(stretch.covariates)]
