"""`Head`: what the features of a step say of the numbers that come next, as a loss to learn from and a way to draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ostinato._errors import ConfigError
from ostinato.layers.stack import check_size

Support = Literal["numbers", "counts", "bits"]


class Head(nn.Module, ABC):
    """Read features (N, F), say what is expected of numbers (N, D).

    `support` is what may be predicted: any numbers, counts (0, 1, 2, …) or bits (0 or 1). A head that `draws` holds a
    distribution; another knows one value only, and draws it each time.
    """

    support: ClassVar[Support] = "numbers"
    draws: ClassVar[bool] = True

    def __init__(self, input_size: int, size: int):
        super().__init__()
        check_size("input_size", input_size)
        check_size("size", size)
        self.input_size, self.size = input_size, size

    @abstractmethod
    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """Return the loss summed over all rows; of a distribution, nats."""

    @abstractmethod
    def sample(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return numbers (N, D) drawn for each row; without `generator`, from torch's own."""

    def mean(self, features: Tensor) -> Tensor:
        """Return the expected numbers (N, D). Raises ConfigError where no closed form is known."""
        raise _unknown(self, "mean")

    def quantiles(self, features: Tensor, levels: Sequence[float]) -> Tensor:
        """Return for each level the number (N, D) below which that share lies: (L, N, D), each column by itself.

        Raises ConfigError where none is known.
        """
        raise _unknown(self, "quantiles")


class DistributionHead(Head):
    """A head whose distribution torch knows: rows are independent, the D numbers of a row are one event."""

    @abstractmethod
    def distribution(self, features: Tensor) -> Distribution:
        """Return the distribution of the numbers that each row of features (N, F) says."""

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        return -self.distribution(features).log_prob(targets).sum()

    def sample(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return drawn(self.distribution(features), generator)

    def mean(self, features: Tensor) -> Tensor:
        return self.distribution(features).mean


def drawn(distribution: Distribution, generator: torch.Generator | None) -> Tensor:
    """Return a sample that follows from `generator`, which torch's distributions do not take: it gives them a seed."""
    if generator is None:
        return distribution.sample()
    seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return distribution.sample()


def check_levels(levels: Sequence[float]) -> None:
    """Refuse levels of quantiles that are not shares between 0 and 1."""
    if not levels or not all(0 < level < 1 for level in levels):
        raise ConfigError("levels", f"{list(levels)}", "Shares between 0 and 1, as 0.1 0.5 0.9")


def _unknown(head: Head, what: str) -> ConfigError:
    return ConfigError(f"the head {type(head).__name__}", f"its {what}", "No closed form is known", "Draw samples")
