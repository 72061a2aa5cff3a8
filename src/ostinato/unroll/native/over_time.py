"""Products over all rows of all steps at once, where our own kernel is faster than torch's."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.unroll.native import memory
from ostinato.unroll.native.asked import more_than_numbers
from ostinato.unroll.native.compiler import library
from ostinato.unroll.native.headers import read_headers
from ostinato.unroll.native.threads import pool, usable_threads

_DTYPES = (torch.float32, torch.float64)
_PLAIN = (Tensor, torch.nn.Parameter)
"""What surely has numbers in memory: while a graph is captured, tensors have none."""
LEAST_ROWS = 64
"""Below this, packing the matrix costs more than a better product gains."""


def linear(weight: Tensor, operand: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return operand (N, K) @ weight (G, K)ᵀ + bias."""
    is_ours = type(operand) in _PLAIN and operand.dtype in _DTYPES and operand.dtype == weight.dtype
    if not is_ours or operand.dim() != 2 or len(operand) < LEAST_ROWS:
        return F.linear(operand if operand.dtype == weight.dtype else operand.to(weight.dtype), weight, bias)
    return _Linear.apply(operand, weight, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operand: Tensor, weight: Tensor, bias: Tensor | None):
        ctx.save_for_backward(operand, weight)
        return multiply(operand, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        operand, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        if more_than_numbers(gradient):  # torch's own products can give it
            return (
                gradient @ weight if wanted[0] else None,
                gradient.T @ operand if wanted[1] else None,
                gradient.sum(0) if wanted[2] else None,
            )
        return (
            multiply(gradient, weight, across=True) if wanted[0] else None,
            weight_gradient(gradient, operand) if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )


def multiply(operand: Tensor, matrix: Tensor, bias: Tensor | None = None, *, across: bool = False) -> Tensor:
    """Return operand (N, K) times a matrix (G, K), or (K, G) with `across`, plus bias (G,)."""
    operand, matrix = _rows(operand), matrix.contiguous()
    rows, depth = operand.shape
    size = matrix.shape[1 - (not across)] if across else matrix.shape[0]
    out = memory.fresh(operand, rows, size)
    built = _built(operand.dtype)
    threads = usable_threads()
    own = memory.take(operand.dtype, built.multiply_needs(depth, size, threads))
    bias = bias.contiguous() if bias is not None else None
    job = (ctypes.c_int64 * 10)(
        rows, depth, size, across, operand.data_ptr(), operand.stride(0), matrix.data_ptr(),
        bias.data_ptr() if bias is not None else 0, out.data_ptr(), own.data_ptr(),
    )  # fmt: skip
    built.multiply(job, ctypes.addressof(pool()), threads)
    return out


@dataclass(frozen=True)
class WeightGradient:
    """`to` (M, K) += the sum over rows of left (N, M) times right (N, K).

    The first rows of `right` may be a tensor apart, `first`: a state before each step is the one it starts from, and
    then those after all steps but the last.
    """

    to: Tensor
    left: Tensor
    right: Tensor
    first: Tensor | None = None


def add_weight_gradients(jobs: Sequence[WeightGradient]) -> None:
    """Do all of them, by one team of threads."""
    if not jobs:
        return
    built, threads = _built(jobs[0].left.dtype), usable_threads()
    room = built.gradient_needs(max(job.to.shape[1] for job in jobs))
    own = memory.take(jobs[0].left.dtype, threads * room)
    numbers: list[int] = []
    held = []  # what has to stay alive during the call
    for job in jobs:
        left, right = _rows(job.left), _rows(job.right)
        first = None if job.first is None else job.first.contiguous()
        if first is not None and right.stride(0) != first.shape[1]:
            right = right.contiguous()
        held += [left, right, first]
        numbers += (
            len(left), left.shape[1], right.shape[1],
            left.data_ptr(), left.stride(0), right.data_ptr(), right.stride(0),
            0 if first is None else first.data_ptr(), 0 if first is None else len(first), job.to.data_ptr(),
        )  # fmt: skip
    table = (ctypes.c_int64 * len(numbers))(*numbers)
    call = (ctypes.c_int64 * 4)(len(jobs), ctypes.addressof(table), own.data_ptr(), room)
    built.gradients(call, ctypes.addressof(pool()), threads)


def build(dtype: torch.dtype) -> None:
    """Build the products, where this machine has not yet."""
    _built(dtype)


def weight_gradient(left: Tensor, right: Tensor) -> Tensor:
    """Return the sum over rows of left (N, M) times right (N, K), as (M, K)."""
    found = left.new_zeros(left.shape[1], right.shape[1])
    add_weight_gradients([WeightGradient(found, left, right)])
    return found


def _rows(value: Tensor) -> Tensor:
    return value if value.stride(1) == 1 else value.contiguous()


@functools.cache
def _built(dtype: torch.dtype) -> ctypes.CDLL:
    text = read_headers(("vector.h", "team.h", "product.h", "over_time.h"), double=dtype == torch.float64)
    built = library(text, "over_time")
    for name in ("multiply", "gradients"):
        function = getattr(built, name)
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    for name, count in (("multiply_needs", 3), ("gradient_needs", 1)):
        function = getattr(built, name)
        function.argtypes, function.restype = [ctypes.c_int64] * count, ctypes.c_int64
    return built
