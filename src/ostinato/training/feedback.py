"""What a model reads while it learns: what was written, or, by the toss of a coin, what it would have written itself.

Scheduled sampling (Bengio, Vinyals, Jaitly and Shazeer, 2015, arXiv:1506.03099). A model that reads only right symbols
while it learns never sees its own mistakes, which it reads when it runs freely. At training step i, each symbol is the
right one with probability ε_i, and otherwise a draw from the model's scores at the step before (section 2.3):

    for t in range(T):
        read = where(coin[t] < epsilon, right[t], draw)
        scores, state = model.read(read, state)
        draw = multinomial(softmax(scores))

The loss is that of the right symbols after what was read; no gradient goes through a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.decoding.feeding import feed
from ostinato.training import gradient
from ostinato.training.config import Learning
from ostinato.training.gradient import Backward, Learns, Method, State, Window
from ostinato.training.gradient.method import Around
from ostinato.training.penalties import penalised

WITH_STATES = ("truncated", "full", "randomized", "checkpointed")
"""Methods whose state is the model's own, so that the model can go on from it."""


@dataclass(frozen=True)
class Decay:
    """How the chance of the right symbol falls (section 2.4); `constant` is the paper's k, and c where it is linear.

    linear           ε_i = 1 - c i
    exponential      ε_i = k^i              k < 1
    inverse-sigmoid  ε_i = k / (k + e^(i/k))    k ≥ 1

    `least` is a floor below which it does not fall.
    """

    name: str
    constant: float
    least: float = 0.0

    def __post_init__(self):
        good, words = {
            "linear": (self.constant > 0, "above 0"),
            "exponential": (0 < self.constant < 1, "between 0 and 1"),
            "inverse-sigmoid": (1 <= self.constant < math.inf, "1 or more"),
        }[self.name]
        if not good:
            got = f"{self.constant:g} was given"
            raise ConfigError("--decay-constant", got, f"Of {self.name} decay it is {words}")
        if not 0 <= self.least <= 1:
            raise ConfigError("--least-teaching", f"{self.least:g} was given", "It is a chance, from 0 to 1")

    def at(self, step: int) -> float:
        """Return ε of a training step, counted from 0."""
        k = self.constant
        if self.name == "linear":
            chance = 1 - k * step
        elif self.name == "exponential":
            chance = k**step
        else:
            chance = 1 / (1 + math.exp(min(700.0, step / k - math.log(k))))
        return max(self.least, chance)


def usual_constant(decay: str, steps: int) -> float:
    """Return the constant with which one right symbol in two is left after half of the steps.

    >>> round(Decay("exponential", usual_constant("exponential", 1000)).at(500), 6)
    0.5
    """
    if decay == "linear":
        return 1 / steps
    if decay == "exponential":
        return 0.5 ** (2 / steps)
    k = max(1.0, steps / 2)
    for _ in range(100):  # k ln k = steps / 2, by Newton's method from above
        k = max(1.0, (steps / 2 + k) / (1 + math.log(k)))
    return k


@dataclass(frozen=True)
class Numbered(Window):
    """A window that knows how many came before it."""

    step: int = 0


@dataclass(frozen=True)
class Fed(Around):
    """A gradient method over what a model read, some of it its own; the state carries its last draw with it."""

    chance: Callable[[int], float]
    """ε of a step."""

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield the method's windows, numbered from the beginning of the run."""
        before = epoch * self.updates(lane_length)
        for index, window in enumerate(self.method.windows(lane_length, epoch)):
            yield Numbered(**{f.name: getattr(window, f.name) for f in fields(Window)}, step=before + index)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return the method's own, and a draw."""
        symbols, _ = model.right(first_step())  # type: ignore[attr-defined]
        return self.method.carried(initial, model, first_step), symbols[0]

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the window, fed anew."""
        assert isinstance(window, Numbered)
        inner, draw = (None, None) if state is None else state
        read, draws = feed(model, segment, inner, draw, self.chance(window.step))  # type: ignore[arg-type]
        nats, count, inner = self.method.accumulate(model, read, window, inner, backward)
        return nats, count, (inner, draws[window.following - 1])


def in_groups(training: Learning) -> Method:
    """Return the gradient method of a run: in its groups of rows, with its penalties, over what the model is let read.

    Raises ConfigError for a decay that is none, and for a method that keeps no state from which the model can go on.
    """
    found = penalised(gradient.in_groups(training), training)
    if training.feedback == "teacher":
        return found
    if training.gradient not in WITH_STATES:
        got = f"{training.feedback} was given with --gradient {training.gradient}"
        raise ConfigError("--feedback", got, f"Its gradients may be {', '.join(WITH_STATES)}", "Leave one out")
    return Fed(found, chance_of(training))


def chance_of(training: Learning) -> Callable[[int], float]:
    """Return ε of a step, by the settings. Raises ConfigError for a decay that is none."""
    if training.feedback == "free":
        return lambda step: 0.0
    constant = training.decay_constant
    if constant is None:
        constant = usual_constant(training.decay, training.steps or 1)
    return Decay(training.decay, constant, training.least_teaching).at


def described(training: Learning) -> list[str]:
    """Return the line that says what is read, where it is not only what is right."""
    if training.feedback == "teacher":
        return []
    if training.feedback == "free":
        return ["reads   its own symbols only"]
    chance, half = chance_of(training), (training.steps or 0) // 2
    return [f"reads   its own symbols by {training.decay} decay: {chance(half):.0%} are right ones at step {half:,}"]
