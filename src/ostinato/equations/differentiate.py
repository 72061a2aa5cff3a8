"""Reverse-mode differentiation of a program; the result is again a program.

The adjoint takes what the step takes, and for each output the gradient that arrives at it (`d y`, `d h'`, …);
it gives the gradients of `x`, of `dt`, of each state and of each parameter, all for one row:
readers sum a parameter's gradient over rows and steps.
"""

from __future__ import annotations

from functools import cache

from ostinato.equations.expressions import Node, read_template
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.lower import lower
from ostinato.equations.program import Builder, Input, Op, Program

_DIFFERENTIABLE = ("input", "time", "state", "parameter")


def gradient_name(label: str) -> str:
    """Return the name under which the adjoint takes the gradient that arrives at output `label`."""
    return f"d {label}"


def differentiate(program: Program) -> Program:
    """Return the adjoint of a step: its forward operations, then the gradients, last operation first."""
    arriving = tuple(Input(gradient_name(label), "gradient", program.shape(value)) for label, value in program.outputs)
    builder = Builder(program.inputs + arriving, program.ops)
    gradients: dict[str, str | float] = {}
    for (_, value), gradient in zip(program.outputs, arriving, strict=True):
        _add(builder, gradients, value, gradient.name)
    wanted = _depends_on_inputs(program)
    for op in reversed(program.ops):
        if op.out in gradients and op.out in wanted:
            _through(op, gradients[op.out], builder, gradients, wanted)
    outputs = []
    for entry in program.inputs:
        if entry.role in _DIFFERENTIABLE and isinstance(gradients.get(entry.name), str):
            outputs.append((entry.name, str(gradients[entry.name])))
    return builder.program(tuple(outputs))


def _depends_on_inputs(program: Program) -> set[str]:
    wanted = {i.name for i in program.inputs if i.role in _DIFFERENTIABLE}
    for op in program.ops:
        if any(a in wanted for a in op.args):
            wanted.add(op.out)
    return wanted


def _through(op: Op, g: str | float, builder: Builder, gradients: dict[str, str | float], wanted: set[str]) -> None:
    """Send the gradient `g` of one operation's result on to its arguments."""
    match op.fn:
        case "matmul" | "matmul_t":
            weight, vector = (str(a) for a in op.args)
            back, pair = ("matmul_t", (g, vector)) if op.fn == "matmul" else ("matmul", (vector, g))
            _add(builder, gradients, weight, builder.emit("outer", pair))
            if vector in wanted:
                _add(builder, gradients, vector, builder.emit(back, (weight, g)))
        case _:
            names: dict[str, str | float] = dict(zip("abc", op.args, strict=False)) | {"y": op.out, "g": g}
            for arg, text in zip(op.args, FUNCTIONS[op.fn].derivatives, strict=True):
                if text and arg in wanted:
                    _add(
                        builder,
                        gradients,
                        str(arg),
                        _fit(builder, lower(_derivative(text), names, builder), arg),
                    )


@cache
def _derivative(text: str) -> Node:
    return read_template(text)


def _fit(builder: Builder, gradient: str | float, arg: str | float) -> str | float:
    """Sum a vector of gradients where the argument was one number used for all of them."""
    if builder.shape(gradient) and not builder.shape(arg):
        return builder.emit("sum", (gradient,))
    return gradient


def _add(builder: Builder, gradients: dict[str, str | float], name: str, gradient: str | float) -> None:
    before = gradients.get(name)
    gradients[name] = gradient if before is None else builder.emit("add", (before, gradient))
