"""What is added to the loss because of what layers do: activations that are large or jump, gradients that vanish.

A penalty adds its gradient and leaves the loss that is reported as it is, so that runs can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import Seen
from ostinato.training.config import Learning
from ostinato.training.gradient.accumulated import Accumulated
from ostinato.training.gradient.method import Around, Backward, Method, State, Window
from ostinato.training.vanishing import vanishing, wide

PENALTIES = ("ar", "tar", "omega")
METHODS = ("truncated", "full", "randomized")
"""Gradient methods that take the gradient of a model's loss as it stands."""


@dataclass(frozen=True)
class Penalised(Around):
    """A gradient method whose model's loss has penalties added."""

    training: Learning

    def accumulate(
        self, model: Any, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the loss and of the penalties."""
        return self.method.accumulate(_Penalised(model, self.training), segment, window, state, backward)


class _Penalised:
    """A model as a method sees it."""

    def __init__(self, model: Any, training: Learning):
        self.model, self.training = model, training

    def loss(self, segment: Any, state: State = None) -> tuple[Tensor, int, State]:
        with _watched(self.model) as seen:
            nats, count, state = self.model.loss(segment, state)
        penalty = _penalty(seen, nats, self.training)
        return nats + count * (penalty - penalty.detach()), count, state

    def advance(self, segment: Any, state: State = None) -> State:
        return self.model.advance(segment, state)

    def count(self, segment: Any) -> int:
        return self.model.count(segment)


def penalised(method: Method, training: Learning) -> Method:
    """Return the method with the penalties that the settings name; itself where there are none."""
    if not any(getattr(training, name) for name in PENALTIES):
        return method
    if isinstance(method, Accumulated):  # which looks at the model's parameters itself
        return Accumulated(Penalised(method.method, training), method.groups)
    return Penalised(method, training)


def check_penalties(training: Learning, model: nn.Module) -> None:
    """Raise ConfigError for a penalty that cannot be taken."""
    asked = [name for name in PENALTIES if getattr(training, name)]
    for name in asked:
        value = getattr(training, name)
        if not 0 < value < math.inf:
            raise ConfigError(f"--{name}", f"{name} is {value}", "It is 0 or more, and finite")
    if asked and not any(isinstance(module, Recurrent) for module in model.modules()):
        raise ConfigError(
            f"--{asked[0]}", "a model without recurrence", "It is taken of recurrent layers", "Leave it out"
        )
    if asked and training.gradient not in METHODS:
        got = f"{asked[0]} beside --gradient {training.gradient}"
        raise ConfigError(f"--{asked[0]}", got, f"It goes with {', '.join(METHODS)}", "Take one of these")
    if asked and training.gradient == "randomized" and (training.tar or training.omega):
        got = f"{'tar' if training.tar else 'omega'} beside --gradient randomized"
        advice = "Use --gradient truncated or full"
        raise ConfigError(
            f"--{got.split()[0]}", got, "It is taken from step to step, and random windows are cut", advice
        )
    if training.tar and training.gradient == "truncated" and training.k1 == 1 and training.k2 in (None, 1):
        raise ConfigError("--tar", "windows of one step", "It is taken from step to step", "Use a larger --k1")
    if training.omega and any(getattr(module, "bidirectional", False) for module in model.modules()):
        raise ConfigError("--omega", "layers that read backwards", "It follows one direction", "Leave it out")
    if training.omega and any(getattr(module, "is_random", False) for module in model.modules()):
        advice = "Leave out --zoneout, --recurrent-dropout, --weight-drop and --embedding-dropout"
        raise ConfigError("--omega", "a cell that draws by chance", "Its steps are taken twice", advice)


def in_words(training: Learning) -> list[str]:
    """Return a line that names the penalties of a run, as it is announced; none where it has none."""
    asked = [f"{name} {getattr(training, name):g}" for name in PENALTIES if getattr(training, name)]
    if not asked:
        return []
    twice = "; for omega each window is run once more by the eager engine" if training.omega else ""
    return [f"adds    {', '.join(asked)} to what is learned from{twice}"]


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Seen]]:
    """Note what each layer of the model reads and gives, in order."""
    seen: list[Seen] = []
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    for layer in layers:
        layer.observe = seen.append
    try:
        yield seen
    finally:
        for layer in layers:
            layer.observe = None


def _penalty(seen: list[Seen], nats: Tensor, training: Learning) -> Tensor:
    total, last = nats.new_zeros(()), seen[-1]
    if training.ar:
        total = total + training.ar * size(last)
    if training.tar:
        total = total + training.tar * change(last)
    if training.omega:
        outputs = [layer.outputs for layer in seen]
        credits = torch.autograd.grad(nats, outputs, retain_graph=True, allow_unused=True, materialize_grads=True)
        for layer, credit in zip(seen, credits, strict=True):
            total = total + training.omega * vanishing(layer, credit)
    return total


def size(seen: Seen) -> Tensor:
    """Return AR: the mean of squared outputs (Merity, Keskar and Socher, 2017, arXiv:1708.02182, section 4.2).

    Theirs are the outputs after dropout; these are those before.
    """
    there = seen.there()
    squares = wide(seen.outputs).square().mean(-1) * there
    return squares.sum() / there.sum().clamp(min=1)


def change(seen: Seen) -> Tensor:
    """Return TAR: the mean of squared changes of outputs from step to step, where a row goes on (section 4.2)."""
    goes_on = seen.there()[1:]
    if seen.reset is not None:
        goes_on = goes_on & ~seen.reset[1:]
    squares = wide(seen.outputs).diff(dim=0).square().mean(-1) * goes_on
    return squares.sum() / goes_on.sum().clamp(min=1)
