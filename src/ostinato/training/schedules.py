"""The learning rate of each step, by name: a warm-up, then a curve of the step, or drops when a score stands still."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

from torch import optim

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config import Learning, above_zero


@dataclass
class Standstill:
    """What `plateau` remembers of the scores: a checkpoint keeps it."""

    best: float | None = None
    waited: int = 0
    """Validations since the best score, or since the last drop."""
    drops: int = 0

    def report(self, score: float, patience: int) -> None:
        """Take a score, the smaller the better: after more than `patience` that are no better, drop once."""
        if self.best is None or score < self.best:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited > patience:
            self.waited, self.drops = 0, self.drops + 1


class Schedule:
    """Learning rate at each step of a run whose settings are resolved. Raises ConfigError for what cannot be.

    >>> Schedule(Learning(learning_rate=1.0, warmup=2, steps=10)).at(0)
    0.5
    """

    def __init__(self, training: Learning):
        assert training.learning_rate is not None
        assert training.steps is not None
        _check(training)
        self.training, self.peak = training, training.learning_rate
        self.total, self.warmup = training.steps, training.warmup or 0
        self.standstill = Standstill()

    def at(self, step: int) -> float:
        """Return the rate of step `step`, counted from 0."""
        rate = self.peak * CURVES[self.training.schedule](self, step)
        return rate * min(1.0, (step + 1) / self.warmup) if self.warmup else rate

    def set(self, optimizer: optim.Optimizer, step: int) -> None:
        """Give each group of parameters its share of the rate of this step."""
        rate = self.at(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]

    def report(self, score: float) -> None:
        """Take the score of a validation."""
        if self.training.schedule == "plateau":
            self.standstill.report(score, self.training.patience)

    def facts(self) -> dict[str, float | int | None]:
        """Return what a checkpoint keeps."""
        return asdict(self.standstill)

    def restore(self, facts: dict) -> None:
        """Take back what a checkpoint kept."""
        self.standstill = Standstill(**facts)


def _cosine(schedule: Schedule, step: int) -> float:
    """Half a cosine from 1 to `final_fraction` (Loshchilov and Hutter, 2017, arXiv:1608.03983, eq. 5)."""
    final, progress = schedule.training.final_fraction, min(1.0, step / max(1, schedule.total))
    return final + (1 - final) * (0.5 * (1 + math.cos(math.pi * progress)))


def _linear(schedule: Schedule, step: int) -> float:
    """A straight line from 1 to `final_fraction`."""
    final, progress = schedule.training.final_fraction, min(1.0, step / max(1, schedule.total))
    return final + (1 - final) * (1 - progress)


def _inverse_sqrt(schedule: Schedule, step: int) -> float:
    """1 over the warm-up, then falling with the root of the step (Vaswani et al., 2017, arXiv:1706.03762, eq. 3)."""
    peak_at = max(1, schedule.warmup)
    return math.sqrt(peak_at / max(peak_at, step + 1))


def _step(schedule: Schedule, step: int) -> float:
    """One factor `drop` more after every `drop_every` steps."""
    every = schedule.training.drop_every or max(1, schedule.total // 4)
    return schedule.training.drop ** (step // every)


def _plateau(schedule: Schedule, step: int) -> float:
    """One factor `drop` more whenever the score of validation stands still."""
    return schedule.training.drop**schedule.standstill.drops


CURVES: dict[str, Callable[[Schedule, int], float]] = {
    "cosine": _cosine, "constant": lambda schedule, step: 1.0, "linear": _linear, "inverse-sqrt": _inverse_sqrt,
    "step": _step, "plateau": _plateau,
}  # fmt: skip
"""Name → share of the highest rate at a step, after the warm-up."""


def _check(training: Learning) -> None:
    if training.schedule not in CURVES:
        near = did_you_mean(training.schedule, CURVES)
        raise ConfigError("--schedule", f"'{training.schedule}'", f"Known are {', '.join(CURVES)}", near)
    above_zero("drop_every", training.drop_every)
    for name, least in (("warmup", 0), ("patience", 0)):
        value = getattr(training, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name}", f"{name} is {value}", f"It is {least} or more")
    if not 0 <= training.final_fraction <= 1:
        raise ConfigError("--final-fraction", f"final_fraction is {training.final_fraction}", "It lies between 0 and 1")
    if not 0 < training.drop < 1:
        raise ConfigError("--drop", f"drop is {training.drop}", "It lies between 0 and 1")
    if training.drop_every is not None and training.schedule != "step":
        got = f"drop_every is {training.drop_every} beside --schedule {training.schedule}"
        raise ConfigError("--drop-every", got, "It is a setting of --schedule step", "Add that, or leave it out")
