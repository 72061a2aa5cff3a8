"""How a gradient becomes a step: the settings of clipping, of the optimizer and of its learning rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Optimisation:
    """How a gradient becomes a step."""

    optimizer: Literal[
        "adamw", "adam", "nadam", "radam", "adamax", "adadelta", "adagrad", "rmsprop", "sgd"
    ] = "adamw"  # fmt: skip
    """Rule that turns gradients into steps."""
    learning_rate: float | None = None
    """Highest learning rate; the default depends on the optimizer."""
    momentum: float | None = None
    """Share of the last step that the next one keeps, of sgd and rmsprop (default: 0)."""
    nesterov: bool = False
    """Let sgd look ahead by its momentum."""
    centered: bool = False
    """Let rmsprop divide by the deviation of the gradient, as Graves (2013) does, not by its size."""
    betas: tuple[float, float] | None = None
    """Shares of the running means of the gradient and of its square that the adam family keeps at a step."""
    smoothing: float | None = None
    """Share of the running mean of squares that rmsprop and adadelta keep at a step (default: 0.95, 0.9)."""
    eps: float | None = None
    """What is added to the number an optimizer divides by (default: torch's)."""
    weight_decay: float = 0.01
    """Pull of the weights towards zero."""
    rates: dict[str, float] = field(default_factory=dict)
    """Shares of the learning rate by pattern of parameter names, as `recurrent.*.weight_hh 0.1`; the last counts."""
    decays: dict[str, float] = field(default_factory=dict)
    """Weight decay by pattern of parameter names."""
    schedule: Literal["cosine", "constant", "linear", "inverse-sqrt", "step", "plateau"] = "cosine"
    """Curve of the learning rate after its warm-up; plateau drops it when the score of validation stands still."""
    warmup: int | None = None
    """Steps over which the learning rate rises from zero (default: 100, at most a tenth of the run)."""
    final_fraction: float = 0.05
    """Share of the learning rate left at the end of a cosine or linear schedule; 1 keeps it constant."""
    drop: float = 0.5
    """What the schedules step and plateau multiply the learning rate by."""
    drop_every: int | None = None
    """Steps between two drops of --schedule step (default: a quarter of the run)."""
    patience: int = 2
    """Validations without a better score that --schedule plateau waits before it drops the rate."""
    clip: Literal["norm", "value", "parameter", "adaptive", "none"] = "norm"
    """What is kept within its limit: the gradient's norm, each of its numbers, or a norm for each parameter or unit."""
    clip_norm: float | None = 1.0
    """Gradient norm above which the gradient is scaled down, with --clip parameter that of each parameter by itself."""
    clip_value: float | None = None
    """Size at which --clip value cuts each number of the gradient (default: 1)."""
    clip_ratio: float | None = None
    """Norm, beside that of a unit's weights, at which --clip adaptive scales its gradient down (default: 0.01)."""
    average: Literal["none", "ema", "nt-asgd"] = "none"
    """Average of the weights over steps that is validated and saved; nt-asgd begins when the score stands still."""
    average_decay: float = 0.999
    """Share of --average ema that is kept at a step."""
    average_patience: int = 5
    """Validations back from which on scores count that --average nt-asgd compares with."""
    ar: float = 0.0
    """Weight of the mean squared outputs of the last layer in what is learned from (activation regularisation)."""
    tar: float = 0.0
    """Weight of their mean squared change from step to step (temporal activation regularisation)."""
    omega: float = 0.0
    """Weight of Pascanu's Ω, which keeps gradients from vanishing; each window is run once more, step by step."""
