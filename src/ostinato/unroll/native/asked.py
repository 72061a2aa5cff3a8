"""What may be asked of a backward pass besides its numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._C import _functorch  # type: ignore[attr-defined]  # no public call says whether vmap is at work


def more_than_numbers(*arriving: Tensor | None) -> str:
    """Return what is asked of a backward pass that a compiled one cannot give, in a clause; "" where it is nothing."""
    if torch.is_grad_enabled():
        return "the gradient of a gradient was asked for"
    if _functorch.peek_interpreter_stack() is not None or any(map(_is_many, arriving)):
        return "many gradients at once were asked for, as is_grads_batched does"
    return ""


def _is_many(gradient: Tensor | None) -> bool:
    return gradient is not None and _functorch.is_legacy_batchedtensor(gradient)
