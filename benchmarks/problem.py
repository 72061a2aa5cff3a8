"""One measurement's data: inputs, the gradient that arrives at the outputs, and what a contender does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Run = Callable[[], tuple[Any, ...]]
"""One forward and backward; returns outputs (T, B, H), the gradient of the inputs, then those of the weights."""


@dataclass(frozen=True)
class Problem:
    """Inputs (T, B, H) that want a gradient, and the gradient of the outputs: random, for all ones are easier."""

    inputs: Tensor
    upstream: Tensor
    lengths: Tensor | None = None
    dt: Tensor | None = None


def problem(batch: int, steps: int, size: int, *, ragged: bool = False) -> Problem:
    """Return the problem of these sizes, always the same numbers; ragged rows are half full on the whole."""
    generator = torch.Generator().manual_seed(0)
    shape = steps, batch, size
    inputs, upstream = (torch.randn(shape, generator=generator) for _ in range(2))
    lengths = None
    if ragged:
        even = torch.linspace(1, steps - 1, batch).round().to(torch.int64)
        lengths = even[torch.randperm(batch, generator=generator)]
        upstream[torch.arange(steps)[:, None] >= lengths] = 0.0
    return Problem(inputs.requires_grad_(), upstream, lengths)
