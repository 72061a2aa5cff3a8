"""Every named value of a layer's equations, at every step it took: worked out again from what the steps were given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.bound_equations import BoundEquations
from ostinato.diagnostics.taps import Pass, Tap, as_row, is_number
from ostinato.equations.program import Op, Program
from ostinato.equations.torch_reader import compile_torch

AT_ONCE = 1024
"""Rows that are worked out together: their intermediate values are all kept for as long."""


def program_of(tap: Tap) -> Program | None:
    """Return the equations that a layer ran; None for a plain cell, whose inside is not known."""
    bound = tap.passes[0].bound
    return bound.definition.fused if isinstance(bound, BoundEquations) else None


def named(program: Program) -> dict[str, str]:
    """Return the named values of a step and of its next states that are vectors, each with what it is called inside."""
    found = {op.out: op.out for op in program.ops if not op.out.startswith("%") and len(op.shape) == 1}
    made = {value: label for label, value in program.outputs if value not in found}  # y stands first, states win
    return found | {label: value for value, label in made.items() if isinstance(program.by_name[value], Op)}


def values(tap: Tap, wanted: Iterable[str]) -> dict[str, Tensor]:
    """Return values of a layer's equations, each (N, n): of all N steps of all rows."""
    wanted = list(wanted)
    pieces = [piece for each in tap.passes for piece in _of_pass(each, wanted)]
    return {name: torch.cat([piece[name] for piece in pieces]) for name in wanted}


def _of_pass(each: Pass, wanted: list[str]) -> Iterator[dict[str, Tensor]]:
    bound = each.bound
    assert isinstance(bound, BoundEquations)
    program = replace(bound.definition.fused, outputs=tuple((name, name) for name in wanted))
    run = compile_torch(program, bound.definition.numbers)
    for given in _given(bound, each):
        rows = len(given["x"])
        found = [_spread(value, rows) for value in run({**given, **bound.fixed})]
        yield dict(zip(wanted, found, strict=True))


def _given(bound: BoundEquations, each: Pass) -> Iterator[Mapping[str, Tensor]]:
    """Yield x, states and dt of some rows at a time, by name."""
    states = [bound.definition.state_values(state) for state in each.before]
    joined = [torch.cat(parts) for parts in zip(*states, strict=True)] if states else []
    given = {**bound.parts(each.inputs), **dict(zip(bound.definition.states, joined, strict=True))}
    if each.dt is not None:
        given["dt"] = each.dt.unsqueeze(-1)
    for start in range(0, len(each.inputs), AT_ONCE):
        yield {name: value[start : start + AT_ONCE] for name, value in given.items()}


def _spread(value: Tensor | float, rows: int) -> Tensor:
    """Return (rows, n) of a value, which may be one number, or the same for all rows."""
    whole = torch.as_tensor(value)
    return (whole if whole.dim() == 2 else whole.reshape(1, -1)).expand(rows, -1)


def states(tap: Tap) -> dict[str, Tensor]:
    """Return the states (N, n) after all steps, those parts of them that are numbers."""
    leaves = zip(*(step.state for step in tap.steps), strict=True)
    joined = [torch.cat([as_row(leaf) for leaf in parts]) for parts in leaves]
    return dict(zip(state_names(tap), joined, strict=True))


def state_names(tap: Tap) -> list[str]:
    """Return what the parts of a layer's state are called that are numbers."""
    bound, state = tap.passes[0].bound, tap.passes[0].before[0]
    leaves = pytree.tree_leaves(state)
    names = list(getattr(state, "_fields", ()))
    if isinstance(bound, BoundEquations):
        names = list(bound.definition.states)
    elif len(names) != len(leaves):
        names = ["state"] if len(leaves) == 1 else [f"state {k}" for k in range(1, len(leaves) + 1)]
    return [name for name, leaf in zip(names, leaves, strict=True) if is_number(leaf)]
