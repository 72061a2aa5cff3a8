"""How a gradient becomes a step: the settings of clipping, of the optimizer and of its learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Optimisation:
    """How a gradient becomes a step."""

    optimizer: Literal["adamw", "adam", "rmsprop", "sgd", "adagrad"] = "adamw"
    """Rule that turns gradients into steps."""
    learning_rate: float | None = None
    """Highest learning rate; the default depends on the optimizer."""
    weight_decay: float = 0.01
    """Pull of the weights towards zero."""
    warmup: int | None = None
    """Steps over which the learning rate rises from zero (default: 100, at most a tenth of the run)."""
    final_fraction: float = 0.05
    """Share of the learning rate left at the end of its cosine decay; 1 keeps it constant."""
    clip: Literal["norm", "value", "parameter", "adaptive", "none"] = "norm"
    """What is kept within its limit: the gradient's norm, each of its numbers, or a norm for each parameter or unit."""
    clip_norm: float | None = 1.0
    """Gradient norm above which the gradient is scaled down, with --clip parameter that of each parameter by itself."""
    clip_value: float | None = None
    """Size at which --clip value cuts each number of the gradient (default: 1)."""
    clip_ratio: float | None = None
    """Norm, beside that of a unit's weights, at which --clip adaptive scales its gradient down (default: 0.01)."""
