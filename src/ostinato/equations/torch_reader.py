"""The eager reader: runs a program with torch operations, differentiable by autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.equations import clipping, sizes
from ostinato.equations.functions import EPSILON, FUNCTIONS
from ostinato.equations.program import Op, Program

Run = Callable[[Mapping[str, Tensor | float]], list[Tensor]]
Linear = Callable[..., Tensor]
"""(weight (G, K), operand (…, K), bias (G,) or none) to (…, G)."""


def compile_torch(program: Program, numbers: Mapping[str, int], linear: Linear | None = None) -> Run:
    """Return a function from input values to output values, in the order of `program.outputs`.

    `numbers` gives each size symbol its number. Values carry any batch axes before their own; parameters carry none.
    `linear` takes the place of `torch.nn.functional.linear` in products.
    """
    linear = linear or _linear
    slots = {name: k for k, name in enumerate(program.by_name)}
    inputs = [i.name for i in program.inputs]
    single = _single_numbers(program)
    plan = [
        (
            slots[op.out],
            _on_numbers(op.fn) if op.out in single else _operation(op, program, numbers, linear),
            _arguments(op, program, slots),
        )
        for op in program.ops
    ]
    outputs = [slots[value] for _, value in program.outputs]

    def run(values: Mapping[str, Tensor | float]) -> list[Tensor]:
        seen: list = [None] * len(slots)
        for k, name in enumerate(inputs):
            seen[k] = values[name]
        for out, operation, args in plan:
            seen[out] = operation(*[seen[a] if type(a) is int else a for a in args])
        return [seen[k] for k in outputs]

    return run


def _arguments(op: Op, program: Program, slots: Mapping[str, int]) -> Sequence[int | float]:
    """Return the slots and numbers an operation takes; `where` also takes what its condition compares."""
    args = op.args
    condition = program.by_name.get(args[0]) if op.fn == "where" and isinstance(args[0], str) else None
    if isinstance(condition, Op):
        args += condition.args
    return [slots[a] if isinstance(a, str) else float(a) for a in args]


def _single_numbers(program: Program) -> set[str]:
    """Return the values that are Python numbers: constants, and what is made of numbers alone."""
    found = {i.name for i in program.role("constant")}
    for op in program.ops:
        if op.fn in FUNCTIONS and all(not isinstance(a, str) or a in found for a in op.args):
            found.add(op.out)
    return found


def _on_numbers(fn: str) -> Callable[..., float | bool]:
    def operation(*args: float) -> float | bool:
        with np.errstate(all="ignore"):
            return FUNCTIONS[fn].numpy(*map(np.float64, args[: FUNCTIONS[fn].arity])).item()

    return operation


def _operation(op: Op, program: Program, numbers: Mapping[str, int], linear: Linear) -> Callable[..., Tensor]:
    match op.fn:
        case "matmul" | "affine":
            return linear
        case "matmul_t":
            return lambda weight, v: linear(weight.t(), v)
        case "slice":
            start = sizes.value(op.start, numbers) if op.start else 0
            length = sizes.value(op.shape[0], numbers)
            axis = 0 if _is_parameter(op, program) else -1
            return lambda v: v.narrow(axis, start, length)
        case "layer_norm" | "rms_norm":
            return functools.partial(_norm, _named(op.fn), (sizes.value(op.shape[0], numbers),))
        case "softmax":
            return lambda a: torch.softmax(a, -1)
        case "sum" | "mean":
            return functools.partial(_reduced, _named(op.fn))
        case "where":
            return _where
        case "hard_sigmoid":
            return _hard_sigmoid
        case "clip_gradient":
            return functools.partial(_with_numbers, clipping.clip_gradient)
        case "maximum" | "minimum" | "gt" | "ge" | "lt" | "le":
            return functools.partial(_with_numbers, _named(op.fn))
        case "sub" | "div" | "add" | "mul" | "pow":
            return {"sub": _sub, "div": _div, "add": _add, "mul": _mul, "pow": _pow}[op.fn]
    return _named(op.fn)


def _is_parameter(op: Op, program: Program) -> bool:
    return any(i.name == op.args[0] for i in program.parameters)


def _named(fn: str) -> Callable[..., Tensor]:
    return functools.reduce(getattr, FUNCTIONS[fn].torch.split("."), torch)  # type: ignore[return-value]


def _linear(weight: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    # a carried state stays float32 beside bfloat16 weights; the product is done in the weights' type
    return F.linear(v if v.dtype == weight.dtype else v.to(weight.dtype), weight, bias)


def _norm(function: Callable[..., Tensor], shape: tuple[int], a: Tensor) -> Tensor:
    return function(a, shape, eps=EPSILON)


def _hard_sigmoid(a: Tensor) -> Tensor:
    # torch's own has one sixth in single precision in its gradient, whatever the type
    return F.relu6(a + 3) / 6 if a.dtype == torch.float64 else F.hardsigmoid(a)


def _reduced(function: Callable[..., Tensor], a: Tensor) -> Tensor:
    return function(a, -1, keepdim=True)


def _with_numbers(function: Callable[..., Tensor], *args: Tensor | float) -> Tensor:
    like = next(a for a in args if isinstance(a, Tensor))
    return function(*[a if isinstance(a, Tensor) else like.new_full((), a) for a in args])


def _where(condition: Tensor | bool, this: Tensor | float, that: Tensor | float, *compared: Tensor | float) -> Tensor:
    # where(a > 0, 1, 0) has the type of a, not of the bool it chooses by
    like = next(v for v in (this, that, *compared) if isinstance(v, Tensor))
    if not isinstance(condition, Tensor):
        condition = like.new_full((), condition, dtype=torch.bool)
    return torch.where(condition, *[v if isinstance(v, Tensor) else like.new_full((), v) for v in (this, that)])


def _add(a, b):
    return a + b


def _sub(a, b):
    return a - b


def _mul(a, b):
    return a * b


def _div(a, b):
    return a / b


def _pow(a, b):
    return a**b
