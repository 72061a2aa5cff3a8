"""`clip_gradient` in torch: the number itself, and on the way back its gradient within a bound.

An operation of torch's own kind, so that graphs that torch captures keep it.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("ostinato::clip_gradient", mutates_args=())
def clip_gradient(value: Tensor, bound: Tensor) -> Tensor:
    """Return `value`; the gradient that arrives at it goes on as it is within ±bound, and as ±bound beyond."""
    return torch.broadcast_tensors(value, bound)[0].clone()


@clip_gradient.register_fake
def _(value: Tensor, bound: Tensor) -> Tensor:
    return value.new_empty(torch.broadcast_shapes(value.shape, bound.shape))


@clip_gradient.register_vmap
def _(info, axes, value: Tensor, bound: Tensor):
    pairs = zip((value, bound), axes, strict=True)
    value, bound = (t if axis is None else t.movedim(axis, 0) for t, axis in pairs)
    if axes[1] is not None:
        bound = bound.view(len(bound), *[1] * (value.dim() - (axes[0] is not None) - bound.dim() + 1), *bound.shape[1:])
    if axes[0] is None:
        value = value.expand(info.batch_size, *value.shape)
    return clip_gradient(value, bound), 0


def _remember(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.shape = inputs[0].shape
    ctx.save_for_backward(inputs[1])


def _clipped(ctx, gradient: Tensor) -> tuple[Tensor, None]:
    (bound,) = ctx.saved_tensors
    return torch.minimum(torch.maximum(gradient, -bound), bound).sum_to_size(ctx.shape), None


clip_gradient.register_autograd(_clipped, setup_context=_remember)
