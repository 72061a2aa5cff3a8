"""Gradient clipping by name: what of a gradient may not grow beyond a limit before the optimizer's step.

Each way is a function of the parameters whose `.grad` it changes in place, and of its limit. It returns two tensors of
no dimensions, so that a step waits for nothing: the gradient's norm before, and whether anything was clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config import Learning, above_zero

Clip = Callable[[Sequence[nn.Parameter]], tuple[Tensor, Tensor]]
SMALLEST_NORM = 1e-3
"""ε of Brock et al.: weights that start at zero are taken for so large, and learn."""
LIMITS = {"norm": "clip_norm", "parameter": "clip_norm", "value": "clip_value", "adaptive": "clip_ratio"}
"""Way of clipping → the setting that limits it."""
DEFAULTS = {"clip_value": 1.0, "clip_ratio": 0.01}


def make_clip(training: Learning) -> Clip:
    """Return the clipping that the settings name. Raises ConfigError for a limit that cannot be, or that it ignores."""
    if training.clip not in WAYS:
        near = did_you_mean(training.clip, WAYS)
        raise ConfigError("--clip", f"'{training.clip}'", f"Known are {', '.join(WAYS)}", near)
    used = LIMITS.get(training.clip)
    for name in DEFAULTS:
        given = getattr(training, name)
        if given is not None and name != used:
            way = next(way for way, limit in LIMITS.items() if limit == name)
            flag, advice = f"--{name.replace('_', '-')}", f"Add --clip {way}, or leave it out"
            raise ConfigError(flag, f"{given} beside --clip {training.clip}", f"It limits --clip {way}", advice)
    limit = None if used is None else getattr(training, used)
    limit = DEFAULTS.get(used or "") if limit is None else limit
    above_zero(used or "", limit)
    return nothing if limit is None else partial(WAYS[training.clip], limit=limit)


def nothing(parameters: Sequence[nn.Parameter], limit: float = torch.inf) -> tuple[Tensor, Tensor]:
    """Leave the gradient as it is."""
    norm = get_total_norm(gradients(parameters))
    return norm, norm > limit


def by_norm(parameters: Sequence[nn.Parameter], limit: float) -> tuple[Tensor, Tensor]:
    """Scale the whole gradient down to norm `limit` (Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063, alg. 1)."""
    norm = nn.utils.clip_grad_norm_(parameters, limit)
    return norm, norm > limit


def by_value(parameters: Sequence[nn.Parameter], limit: float) -> tuple[Tensor, Tensor]:
    """Keep each number of the gradient within ±limit; its direction may change."""
    found = gradients(parameters)
    norm, largest = get_total_norm(found), get_total_norm(found, torch.inf)
    nn.utils.clip_grad_value_(parameters, limit)
    return norm, largest > limit


def by_parameter(parameters: Sequence[nn.Parameter], limit: float) -> tuple[Tensor, Tensor]:
    """Scale the gradient of each parameter by itself down to norm `limit`."""
    norm = get_total_norm(gradients(parameters))
    norms = [nn.utils.clip_grad_norm_(parameter, limit) for parameter in parameters if parameter.grad is not None]
    return norm, (torch.stack(norms) > limit).any()


def adaptive(parameters: Sequence[nn.Parameter], limit: float) -> tuple[Tensor, Tensor]:
    """Scale the gradient G_i of each unit down beside its weights W_i (Brock et al., 2021, arXiv:2102.06171, eq. 3).

        G_i ← limit ‖W_i‖* / ‖G_i‖ G_i   where ‖G_i‖ / ‖W_i‖* > limit,   ‖W_i‖* = max(‖W_i‖, 0.001)

    W_i are the weights into one unit, a row of a matrix; a vector, as of biases, is one unit as a whole.
    """
    norm = get_total_norm(gradients(parameters))
    clipped = torch.zeros_like(norm, dtype=torch.bool)
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is None:
                continue
            allowed = limit * _unit_norms(parameter).clamp(min=SMALLEST_NORM)
            found = _unit_norms(parameter.grad)
            beyond = found > allowed
            parameter.grad.mul_(torch.where(beyond, allowed / found, 1.0))
            clipped |= beyond.any()
    return norm, clipped


WAYS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "norm": by_norm, "value": by_value, "parameter": by_parameter, "adaptive": adaptive, "none": nothing,
}  # fmt: skip
"""Name → way of clipping, a function of (parameters, limit)."""


def gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return the gradients there are."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _unit_norms(weights: Tensor) -> Tensor:
    """Return the norm of each row, (N, 1, …), or of a vector, (1,) as it is broadcast."""
    own = tuple(range(1, weights.dim())) or None
    return torch.linalg.vector_norm(weights, dim=own, keepdim=True)
