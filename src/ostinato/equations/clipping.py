"""`clip_gradient` in torch: the number itself, and on the way back its gradient within a bound."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_gradient(value: Tensor, bound: Tensor) -> Tensor:
    """Return `value`; the gradient that arrives at it goes on as it is within ±bound, and as ±bound beyond."""
    if torch.compiler.is_exporting():  # a graph would keep what a function of one's own does forward, no more
        return _operation(value, bound)
    return _Clipped.apply(value, bound)  # type: ignore[return-value]


class _Clipped(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, bound: Tensor) -> Tensor:
        return torch.broadcast_tensors(value, bound)[0].clone()

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.shape = inputs[0].shape
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return _within(gradient, *ctx.saved_tensors).sum_to_size(ctx.shape), None

    @staticmethod
    def jvp(ctx, tangent: Tensor, _: Tensor | None) -> Tensor:  # type: ignore[override]
        return tangent.clone()


def _within(gradient: Tensor, bound: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(gradient, -bound), bound)


@torch.library.custom_op("ostinato::clip_gradient", mutates_args=())
def _operation(value: Tensor, bound: Tensor) -> Tensor:
    return torch.broadcast_tensors(value, bound)[0].clone()


@_operation.register_fake
def _(value: Tensor, bound: Tensor) -> Tensor:
    return value.new_empty(torch.broadcast_shapes(value.shape, bound.shape))


def _remember(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    _Clipped.setup_context(ctx, inputs, output)


_operation.register_autograd(_Clipped.backward, setup_context=_remember)
