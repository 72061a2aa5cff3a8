"""What a program's form says about it: products a step, arithmetic, and how its next state depends on the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostinato.equations import sizes
from ostinato.equations.program import PRODUCTS, Op, Program

_NONE, _LINEAR, _OTHER = 0, 1, 2
"""How a value depends on the states before the step."""
_LINEAR_IN_BOTH = {"add", "sub", "neg", "sum", "mean"}


@dataclass(frozen=True)
class Structure:
    """The facts a planner and a reader want to know of a cell."""

    input_products: int
    """Products with x, which can leave the loop."""
    recurrent_products: int
    """Products that need the state, which cannot."""
    is_diagonal: bool
    """No number of a state reaches another: no product and no row operation on what depends on a state."""
    is_linear: bool
    """The next states are linear in the states (their coefficients may depend on x)."""
    operations: int
    """Floating-point operations a step and row, a product of m by n counted 2mn, any function 1 a number."""


def structure(program: Program, numbers: Mapping[str, int]) -> Structure:
    """Return the facts of a program at these sizes."""
    degree = {i.name: _LINEAR if i.role == "state" else _NONE for i in program.inputs}
    before = after = operations = 0
    diagonal = True
    for op in program.ops:
        depends = [degree[a] if isinstance(a, str) else _NONE for a in op.args]
        degree[op.out] = _degree(op, depends)
        operations += _operations(op, program, numbers)
        if op.fn in PRODUCTS:
            before, after = (before, after + 1) if max(depends) else (before + 1, after)
        mixes = op.fn in PRODUCTS or (not op.shape) or op.fn in ("softmax", "layer_norm", "rms_norm")
        diagonal &= not (mixes and max(depends, default=_NONE))
    linear = all(degree[value] < _OTHER for label, value in program.outputs if label != "y")
    return Structure(before, after, diagonal, linear, operations)


def _degree(op: Op, depends: list[int]) -> int:
    most = max(depends, default=_NONE)
    if most == _NONE or op.fn in PRODUCTS or op.fn in _LINEAR_IN_BOTH:
        return most
    if op.fn == "mul":
        return most if min(depends) == _NONE else _OTHER
    if op.fn == "div":
        return most if depends[1] == _NONE else _OTHER
    if op.fn == "where" and depends[0] == _NONE:
        return most
    return _OTHER


def _operations(op: Op, program: Program, numbers: Mapping[str, int]) -> int:
    def length(shape):
        total = 1
        for size in shape:
            total *= sizes.value(size, numbers)
        return total

    if op.fn in PRODUCTS:
        return 2 * length(program.shape(op.args[0]))
    return max(length(program.shape(a)) for a in op.args)
