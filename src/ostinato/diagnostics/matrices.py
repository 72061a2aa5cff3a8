"""The matrices of a cell's equations that multiply its state, under the names they have there."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Cell
from ostinato.equations.program import PRODUCTS, Op, Program


def recurrent_matrices(cell: Cell) -> dict[str, Tensor]:
    """Return the square matrices that multiply what depends on the state before the step: name -> (H, H).

    Empty for a plain cell, which has no equations, and where units do not meet.
    """
    bound = cell.bind()
    if not isinstance(bound, BoundEquations):
        return {}
    found = {}
    for name in _multiplying(bound.definition.program):
        stack, start, size = bound.definition.symbols[name]
        matrix = bound.tensors[stack].detach().narrow(0, start, size)
        if matrix.shape[0] == matrix.shape[1]:
            found[name] = matrix
    return found


def plain_growth(cell: Cell) -> float | None:
    """Return the spectral norm of U where the step is s' = φ(U s + …), φ a tanh, a relu or nothing; else None.

    It bounds the growth of a gradient over a step on any data (Pascanu et al., 2013, section 2.1; their γ is 1 here).
    """
    bound = cell.bind()
    matrices = recurrent_matrices(cell)
    if not isinstance(bound, BoundEquations) or len(matrices) != 1 or len(bound.definition.states) != 1:
        return None
    (name,) = matrices
    return float(torch.linalg.matrix_norm(matrices[name].double(), 2)) if _is_plain(bound.definition.program) else None


def _multiplying(program: Program) -> list[str]:
    """Return the matrices whose operands depend on a state."""
    parameters = {p.name for p in program.parameters}
    dependent = _dependent(program)
    found = [op.args[0] for op in program.ops if op.fn in PRODUCTS and op.args[1] in dependent]
    return [name for name in dict.fromkeys(found) if isinstance(name, str) and name in parameters]


def _dependent(program: Program) -> set[str]:
    """Return the values that depend on a state before the step."""
    found = {s.name for s in program.states}
    for op in program.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found


def _is_plain(program: Program) -> bool:
    """Return whether s' = φ(U s + …), where nothing else depends on s."""
    (state,) = (s.name for s in program.states)
    new = program.output(f"{state}'")
    op = program.by_name[new]
    inside = op.args[0] if isinstance(op, Op) and op.fn in ("tanh", "relu") else new
    terms = [str(term) for term in _terms(program, inside) if term in _dependent(program)]
    product = program.by_name[terms[0]] if len(terms) == 1 else None
    return isinstance(product, Op) and product.fn in PRODUCTS and product.args[1] == state


def _terms(program: Program, value: str | float) -> Iterator[str | float]:
    op = program.by_name[value] if isinstance(value, str) else None
    if isinstance(op, Op) and op.fn == "add":
        for arg in op.args:
            yield from _terms(program, arg)
    else:
        yield value
