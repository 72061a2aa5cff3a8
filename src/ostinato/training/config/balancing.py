"""The settings of influence balancing: one number to learn, by any gradient method."""

from __future__ import annotations

from dataclasses import dataclass, field

from ostinato.training.config.over_time import OverTime
from ostinato.training.config.runs import AnyRun


@dataclass(frozen=True)
class Balancing(OverTime):
    """How the number is learned."""

    learning_rate: float = 1e-5
    """Of plain gradient descent on the loss summed over the steps of an update."""
    steps: int = 30_000
    """Steps of the system."""
    theta: float = 0.5
    """The number to begin with."""
    seed: int = 0
    """Seed of every random choice."""
    threads: int | None = None
    """Threads of the CPU (default: torch's choice)."""


@dataclass(frozen=True)
class BalancingRun(AnyRun):
    """A run of influence balancing: its settings and its folder."""

    kind = "influence-balancing"
    training: Balancing = field(default_factory=lambda: Balancing(gradient="randomized", k1=20, spacing=1))

    @property
    def name(self) -> str:
        """The recipe, or the method."""
        if self.recipe is not None:
            return self.recipe + ("-control" if self.control else "")
        return f"{self.kind}-{self.training.gradient}"
