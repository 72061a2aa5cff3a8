"""Steps that a model takes along data, each as a map of vectors: what derivatives of a step are taken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato.cells.cell import State
from ostinato.diagnostics.taps import (
    Step,
    Tap,
    as_row,
    in_evaluation,
    is_number,
    numbers,
    refuse_without_numbers,
    stepped,
    tapped,
)

Move = Callable[[Tensor], Tensor]
"""What a step makes of states, both (B, n), each row on its own."""


@dataclass(frozen=True)
class Visit:
    """A step along data."""

    vectors: Tensor
    """(B, n): the states before it, all parts side by side."""
    move: Move


def visited(where: str, model: nn.Module, batch: Any, state: State = None) -> list[Tap]:
    """Return what `followed` does. Raises ConfigError, which names `where`, for layers whose state has no numbers."""
    taps = followed(where, model, batch, state)
    refuse_without_numbers(where, taps)
    return taps


def followed(where: str, model: nn.Module, batch: Any, state: State = None) -> list[Tap]:
    """Return the steps of all recurrent layers of a model, run once without a graph, in evaluation mode.

    model  with `loss(batch, state)`, or called with (batch, state).

    Raises ConfigError, which names `where`, for a model without recurrence, and where no step is taken.
    """
    run = getattr(model, "loss", None)
    with in_evaluation(model), tapped(model) as taps, torch.no_grad():
        _ = run(batch, state) if run else model(batch, *(() if state is None else (state,)))
    return stepped(where, taps)


def visits(tap: Tap) -> Iterator[Visit]:
    """Yield the steps of the longest path of a layer, in the order in which they were taken."""
    return (visit(step) for step in longest_path(tap))


def longest_path(tap: Tap) -> list[Step]:
    """Return the longest run of steps of which each goes on from the state that the one before it left.

    A model may run a layer several times in one loss, each time from a state of its own; the first of equals is kept.
    """
    paths = [tap.steps[:1]]
    for last, step in pairwise(tap.steps):
        if _goes_on(last, step):
            paths[-1].append(step)
        else:
            paths.append([step])
    return max(paths, key=len)


def _goes_on(last: Step, step: Step) -> bool:
    if len(flat(step.before)) > len(flat(last.before)):
        return False
    pairs = zip(numbers(step.before), last.state, strict=True)
    return all(torch.equal(now.nan_to_num(), left[: len(now)].nan_to_num()) for now, left in pairs)


def visit(step: Step) -> Visit:
    """Return one step as a map of vectors."""
    return Visit(flat(step.before), lambda vectors: flat(step.move(like(step.before, vectors))))


def flat(state: State) -> Tensor:
    """Return the numbers of a state side by side, (B, n); complex ones as their two parts."""
    return torch.cat([as_row(leaf) for leaf in numbers(state)], 1)


def like(state: State, vectors: Tensor) -> State:
    """Return a state with the numbers of vectors (B, n), and with the other parts of `state`."""
    leaves, structure = pytree.tree_flatten(state)
    start, made = 0, []
    for leaf in leaves:
        size = leaf[0].numel() * (2 if leaf.is_complex() else 1) if is_number(leaf) else 0
        made.append(_shaped(vectors[:, start : start + size], leaf) if size else leaf)
        start += size
    return pytree.tree_unflatten(made, structure)


def _shaped(part: Tensor, leaf: Tensor) -> Tensor:
    if leaf.is_complex():
        return torch.view_as_complex(part.reshape(len(part), *leaf.shape[1:], 2).contiguous()).to(leaf.dtype)
    return part.reshape(len(part), *leaf.shape[1:]).to(leaf.dtype)
