"""Names for what an adjoint computes: `d v` for the gradient of v, so that a printed backward pass can be read."""

from __future__ import annotations

from dataclasses import replace

from ostinato.equations.differentiate import differentiate
from ostinato.equations.program import Input, Op, Program


def name_gradients(adjoint: Program, step: Program) -> Program:
    """Return the adjoint with `d v` for the gradient of a value v that has a name of its own."""
    names: dict[str, str] = {}
    for name, gradient in _gradients(adjoint, step).items():
        if gradient.startswith("%"):
            free = (f"d {name}", f"d {name} total")  # what arrives at an output may have the first
            names.setdefault(gradient, next(title for title in free if title not in adjoint.by_name))
    ops = tuple(
        replace(
            op, out=names.get(op.out, op.out), args=tuple(names.get(a, a) if isinstance(a, str) else a for a in op.args)
        )
        for op in adjoint.ops
    )
    return Program(adjoint.inputs, ops, tuple((label, names.get(v, v)) for label, v in adjoint.outputs))


def _gradients(adjoint: Program, step: Program) -> dict[str, str]:
    """Return which value of the adjoint is the gradient of each named value of the step.

    An adjoint only says so of inputs. The gradient of another value is that of a number added to it, in the adjoint of
    a step that does so; the operation it is there is found again by what it is made of.
    """
    named = {op.out: op for op in step.ops if not op.out.startswith("%")}
    added = {v: Input(f"to {v}", "parameter", op.shape) for v, op in named.items()}
    ops: list[Op] = []
    for op in step.ops:
        if op.out in named:
            bare = f"{op.out} bare"
            ops += [replace(op, out=bare), Op(op.out, "add", (bare, added[op.out].name), op.shape)]
        else:
            ops.append(op)
    other = differentiate(Program((*step.inputs, *added.values()), tuple(ops), step.outputs))
    numbers: dict[str, str] = {}
    made = {number: value for value, number in _numbered(adjoint, numbers, set()).items()}
    there = _numbered(other, numbers, {i.name for i in added.values()})
    gradients = dict(other.outputs)
    values = {v: gradients[i.name] for v, i in added.items() if i.name in gradients}
    values |= {i.name: gradients[i.name] for i in step.inputs if i.name in gradients}
    return {v: made[there[g]] for v, g in values.items() if there[g] in made}


def _numbered(program: Program, numbers: dict[str, str], nothing: set[str]) -> dict[str, str]:
    """Return a number for each value, the same wherever the same is done; adding `nothing` does nothing."""
    found = {i.name: i.name for i in program.inputs}
    for op in program.ops:
        args = [found[a] if isinstance(a, str) else repr(a) for a in op.args]
        if op.fn == "add" and args[1] in nothing:
            found[op.out] = args[0]
        else:
            found[op.out] = numbers.setdefault(f"{op.fn} {args} {op.shape}", f"%{len(numbers)}")
    return found
