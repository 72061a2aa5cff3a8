"""Truncation at random places, weighted so that its mean is the full gradient.

ARTBP: Tallec and Ollivier, 2017, arXiv:1705.08209.

A lane is cut where coins fall. What goes back over a place that was not cut counts 1 / (1 - c) times, c being the
chance of a cut there: then the mean over the coins is back-propagation through everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.training.config import above_zero
from ostinato.training.gradient.method import Backward, Learns, State, Window, cut, detach, map_state, whole


class Lengths(Protocol):
    """A distribution of window lengths, by its hazard."""

    mean: float

    def chance(self, places: int) -> float:
        """Return the chance of a cut at a place, `places` places after the last cut (1 is the first)."""
        ...


@dataclass(frozen=True)
class Geometric:
    """Every place is cut with the same chance; `mean` is in places."""

    mean: float

    def chance(self, places: int) -> float:
        """Return 1 / mean."""
        return 1 / self.mean


@dataclass(frozen=True)
class HeavyTailed:
    """Long windows more often: the chance of more than l steps falls as l to the -alpha.

    The weights 1 / (1 - c) then stay small, and with them the noise.
    """

    mean: float
    alpha: float = 4.0

    def chance(self, places: int) -> float:
        """Return alpha / ((alpha - 1) mean + places)."""
        return min(1.0, self.alpha / ((self.alpha - 1) * self.mean + places))


@dataclass(frozen=True)
class Randomized:
    """Back-propagation over windows of random length, `mean_length` steps on average, without bias.

    A cut may fall every `spacing` steps. With 1 the window lengths are those of the paper; more keep the loop on a
    compiled engine for longer. `lengths` is "geometric" or "heavy-tailed".
    """

    mean_length: int
    lengths: str = "heavy-tailed"
    spacing: int = 1
    seed: int = 0

    def __post_init__(self):
        above_zero("spacing", self.spacing)
        if self.lengths not in _LENGTHS:
            raise ConfigError("lengths", f"'{self.lengths}'", f"Known are {', '.join(_LENGTHS)}", "")
        if self.mean_length <= self.spacing:
            raise ConfigError(
                "--gradient randomized",
                f"windows of {self.mean_length} steps on average (--k2, or --k1)",
                f"They are longer than the spacing of cuts, {self.spacing}",
                "Give longer ones, or a smaller --spacing",
            )

    @property
    def distribution(self) -> Lengths:
        """How many places a window has."""
        return _LENGTHS[self.lengths](self.mean_length / self.spacing)

    def updates(self, lane_length: int) -> int:
        """How many windows a reading has on average, rounded up."""
        return -(-lane_length // self.mean_length)

    def period(self, lane_length: int) -> int:
        """The mean length."""
        return self.mean_length

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield windows from cut to cut; other cuts at each reading."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        distribution, start, places = self.distribution, 0, 0
        at = range(self.spacing, lane_length, self.spacing)
        for place, coin in zip(at, torch.rand(len(at), generator=generator).tolist(), strict=True):
            places += 1
            if coin < distribution.chance(places):
                yield whole(place - start, start)
                start, places = place, 0
        yield whole(lane_length - start, start)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return the model's own state."""
        return initial

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the window's loss, weighted at each place; symbols weigh the same in every window."""
        losses, counts, distribution = [], 0, self.distribution
        for k, first in enumerate(range(0, window.length, self.spacing)):
            if k:
                state = _weighted(state, 1 / (1 - distribution.chance(k)))
            nats, count, state = model.loss(cut(segment, first, min(first + self.spacing, window.length)), state)
            losses, counts = [*losses, nats], counts + count
        total = torch.stack(losses).sum()
        if counts:
            backward(total * (window.length / (counts * self.mean_length)))
        return total.detach(), counts, detach(state)


def _weighted(state: State, weight: float) -> State:
    """Return the state; what goes back through it counts `weight` times."""
    return map_state(lambda leaf: leaf + (weight - 1) * (leaf - leaf.detach()), state)


_LENGTHS: dict[str, Any] = {"geometric": Geometric, "heavy-tailed": HeavyTailed}
