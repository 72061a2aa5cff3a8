"""Averages of the weights over steps: what is validated and saved, while the weights themselves go on learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config import Learning, above_zero

AVERAGES = ("none", "ema", "nt-asgd")


class Average:
    """No average: the weights themselves are shown. Those that average are made by `make_average`."""

    def __init__(self, model: nn.Module):
        self.model = model

    def update(self) -> None:
        """Take the weights after a step."""

    def report(self, score: float) -> None:
        """Take the score of a validation, the smaller the better."""

    def shown(self) -> AbstractContextManager[None]:
        """Return a context in which the model holds the weights that are validated and saved."""
        return nullcontext()

    def figures(self) -> dict[str, int]:
        """Return what is measured of the average itself."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that a checkpoint keeps."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return what else it keeps."""
        return {}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take back what a checkpoint kept."""


class MovingAverage(Average):
    """The mean of the weights after each step since `begun`: of all alike, or the older the less by a factor `decay`.

    With w̄ the average of k steps before and w the weights after the next,

        w̄ ← w̄ + (w - w̄) / (k + 1)   or   w̄ ← decay w̄ + (1 - decay) w
    """

    def __init__(self, model: nn.Module, decay: float | None, patience: int | None = None):
        super().__init__(model)
        self.average = AveragedModel(model, multi_avg_fn=None if decay is None else get_ema_multi_avg_fn(decay))
        self.patience, self.begun = patience, patience is None
        self.scores: list[float] = []

    def update(self) -> None:
        """Take the weights after a step, once the averaging has begun."""
        if self.begun:
            self.average.update_parameters(self.model)

    def report(self, score: float) -> None:
        """Begin when a score is worse than the best of those more than `patience` validations ago.

        So does the code of Merity, Keskar and Socher (2017, arXiv:1708.02182, algorithm 1). What has begun goes on.
        """
        if self.begun or self.patience is None:
            return
        earlier = self.scores[: max(0, len(self.scores) - self.patience)]
        self.begun = bool(earlier) and score > min(earlier)
        self.scores.append(score)
        self.update()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the model hold the averaged weights for a while; before the averaging has begun, its own."""
        if not int(self.average.n_averaged):
            yield
            return
        parameters = list(self.model.parameters())
        own = [parameter.detach().clone() for parameter in parameters]
        try:
            _fill(parameters, list(self.average.parameters()))
            yield
        finally:
            _fill(parameters, own)

    def figures(self) -> dict[str, int]:
        """Return over how many steps the average goes."""
        return {"averaged_steps": int(self.average.n_averaged)}

    def tensors(self) -> dict[str, Tensor]:
        """Return the averaged weights and how many steps they are of."""
        return self.average.state_dict()

    def facts(self) -> dict[str, Any]:
        """Return whether it has begun, and the scores that decide so."""
        return {"begun": self.begun, "scores": self.scores}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take back what a checkpoint kept."""
        self.average.load_state_dict(tensors)
        self.begun, self.scores = facts["begun"], facts["scores"]


@torch.no_grad()
def _fill(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def make_average(training: Learning, model: nn.Module) -> Average:
    """Return the average that the settings name. Raises ConfigError for what cannot be."""
    if training.average not in AVERAGES:
        near = did_you_mean(training.average, AVERAGES)
        raise ConfigError("--average", f"'{training.average}'", f"Known are {', '.join(AVERAGES)}", near)
    if not 0 < training.average_decay < 1:
        got = f"average_decay is {training.average_decay}"
        raise ConfigError("--average-decay", got, "It lies between 0 and 1")
    above_zero("average_patience", training.average_patience)
    if training.average == "none":
        return Average(model)
    if training.average == "ema":
        return MovingAverage(model, training.average_decay)
    return MovingAverage(model, None, training.average_patience)
