"""What a program's form says about it: products a step, arithmetic, and how its next state depends on the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostinato.equations import sizes
from ostinato.equations.linear import is_linear
from ostinato.equations.program import PRODUCTS, Op, Program


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
    """Each state is linear in itself, and in those that need it as well, once all others are known."""
    operations: int
    """Floating-point operations a step and row, a product of m by n counted 2mn, any function 1 a number."""


def structure(program: Program, numbers: Mapping[str, int]) -> Structure:
    """Return the facts of a program at these sizes."""
    stateful = {s.name for s in program.states}
    before = after = operations = 0
    diagonal = True
    for op in program.ops:
        depends = not stateful.isdisjoint(op.args)
        stateful |= {op.out} if depends else set()
        operations += _operations(op, program, numbers)
        if op.fn in PRODUCTS:
            before, after = (before, after + 1) if depends else (before + 1, after)
        diagonal &= not (mixes(op) and depends)
    return Structure(before, after, diagonal, is_linear(program), operations)


def mixes(op: Op) -> bool:
    """Return whether a number of the result depends on other numbers of an argument than its own."""
    return op.fn in PRODUCTS or (not op.shape) or op.fn in ("softmax", "layer_norm", "rms_norm")


def _operations(op: Op, program: Program, numbers: Mapping[str, int]) -> int:
    def length(shape):
        total = 1
        for size in shape:
            total *= sizes.value(size, numbers)
        return total

    if op.fn in PRODUCTS:
        return 2 * length(program.shape(op.args[0]))
    return max(length(program.shape(a)) for a in op.args)
