"""The methods by name, as `--gradient` and `gradients` know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import nn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config import Learning
from ostinato.training.gradient.accumulated import accumulated
from ostinato.training.gradient.backpropagation import Full, Truncated
from ostinato.training.gradient.checkpointed import Checkpointed
from ostinato.training.gradient.influence import RankOne
from ostinato.training.gradient.kronecker import Kronecker
from ostinato.training.gradient.method import Method
from ostinato.training.gradient.online import Online, check_steps
from ostinato.training.gradient.randomized import Randomized
from ostinato.training.gradient.traces import EProp, RealTime, SnAp


class Settings(Protocol):
    """What a run's settings say of gradients over time."""

    @property
    def gradient(self) -> str: ...
    @property
    def k1(self) -> int: ...
    @property
    def k2(self) -> int | None: ...
    @property
    def lengths(self) -> str: ...
    @property
    def spacing(self) -> int: ...
    @property
    def memory_budget(self) -> int | None: ...
    @property
    def seed(self) -> int: ...


METHODS: dict[str, Callable[[Settings], Method]] = {
    "truncated": lambda t: Truncated(t.k1, t.k1 if t.k2 is None else t.k2, t.seed),
    "full": lambda t: Full(),
    "randomized": lambda t: Randomized(t.k1 if t.k2 is None else t.k2, t.lengths, t.spacing, t.seed),
    "checkpointed": lambda t: Checkpointed(t.memory_budget),
    "rtrl": lambda t: Online(RealTime(), t.k1),
    "snap": lambda t: Online(SnAp(1 if t.k2 is None else t.k2), t.k1),
    "uoro": lambda t: Online(RankOne(t.seed), t.k1),
    "kf-rtrl": lambda t: Online(Kronecker(t.seed), t.k1),
    "e-prop": lambda t: Online(EProp(), t.k1),
}
"""Name -> what makes the method from a run's settings."""
DRAWN_TOGETHER = ("uoro", "kf-rtrl")
"""Methods that draw signs for all rows at once: of rows apart, they would be other signs, and another gradient."""


def method(training: Settings) -> Method:
    """Return the gradient method the settings name."""
    if training.gradient not in METHODS:
        near = did_you_mean(training.gradient, METHODS)
        raise ConfigError("--gradient", f"'{training.gradient}'", f"Known are {', '.join(METHODS)}", near)
    return METHODS[training.gradient](training)


def check_followed(training: Settings, model: nn.Module) -> None:
    """Raise ConfigError where the method cannot follow the steps of the model, as it would when it meets the first."""
    if isinstance(method(training), Online):
        check_steps(model)


def in_groups(training: Learning) -> Method:
    """Return the gradient method of a run, in as many groups of rows as its settings ask for."""
    if training.accumulate > 1 and training.gradient in DRAWN_TOGETHER:
        got = f"{training.accumulate} with --gradient {training.gradient}"
        advice = "Use --accumulate 1, or another gradient"
        raise ConfigError("--accumulate", got, "It draws signs for all rows at once", advice)
    return accumulated(method(training), training.accumulate, training.batch_size)
