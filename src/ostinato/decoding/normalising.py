"""Scores as log-probabilities, with a clear error where there are none."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ostinato._errors import ConfigError, RunError


def normalised(scores: Tensor, rows: int, name: str = "step") -> Tensor:
    """Return log-probabilities (R, V) of scores up to a constant, in at least float32; a tensor of its own.

    A row in which nothing is possible stays -inf. Raises RunError for NaN and +inf, and ConfigError where there are not
    `rows` rows; `name` is the function that gave them.
    """
    if scores.ndim != 2 or len(scores) != rows:
        got = f"scores of shape {tuple(scores.shape)}"
        raise ConfigError(name, got, f"Of {rows} symbols they are ({rows}, V): one row each")
    wide = scores if scores.dtype in (torch.float32, torch.float64) else scores.float()
    log_p = wide.log_softmax(-1)
    # NaN and +inf make all of their row NaN, and so does a row of nothing but -inf: one column tells.
    wrong = log_p[:, 0].isnan()
    if bool(wrong.any()):
        _check(scores[wrong])
        log_p[wrong] = -math.inf
    return log_p


def _check(scores: Tensor) -> None:
    nan = bool(scores.isnan().any())
    if nan or bool((scores == math.inf).any()):
        raise RunError(
            "the model's scores",
            "NaN" if nan else "an infinite one",
            "Scores are finite numbers, or -inf for what must not be chosen",
            "The training has diverged: use an earlier checkpoint, or a lower learning rate",
        )
