"""What turns gradients into steps, made from a run's settings at once: a setting that cannot be is refused here."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn, optim

from ostinato.training.clipping import Clip, make_clip
from ostinato.training.config import Learning
from ostinato.training.optimizers import make_optimizer
from ostinato.training.schedules import Schedule


@dataclass
class Stepping:
    """Clipping, the rule that steps, and its learning rate."""

    clip: Clip
    optimizer: optim.Optimizer
    schedule: Schedule


def make_stepping(training: Learning, model: nn.Module) -> Stepping:
    """Return what the settings, which are resolved, name. Raises ConfigError for what cannot be."""
    return Stepping(make_clip(training), make_optimizer(training, model), Schedule(training))
