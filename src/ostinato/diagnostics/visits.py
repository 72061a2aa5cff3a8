"""Steps that a model takes along data, each as a map of vectors: what derivatives of a step are taken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.flow import in_evaluation
from ostinato.diagnostics.taps import Step, Tap, floating, tapped

Move = Callable[[Tensor], Tensor]
"""What a step makes of states, both (B, n), each row on its own."""


@dataclass(frozen=True)
class Visit:
    """A step along data."""

    vectors: Tensor
    """(B, n): the states before it, all parts side by side."""
    move: Move


def visited(where: str, model: nn.Module, batch: Any, state: State = None) -> list[Tap]:
    """Return the steps of all recurrent layers of a model, run once without a graph, in evaluation mode.

    model  with `loss(batch, state)`, or called with (batch, state).

    Raises ConfigError, which names `where`, for a model without recurrence, and for layers whose state has no numbers.
    """
    run = getattr(model, "loss", None)
    with in_evaluation(model), tapped(model) as taps, torch.no_grad():
        _ = run(batch, state) if run else model(batch, *(() if state is None else (state,)))
    taps = [tap for tap in taps if tap.steps]
    if not taps:
        got = "no step of a recurrent layer was taken"
        raise ConfigError(where, got, "Its layers are those of ostinato.Recurrent", "Pass such a model, and data")
    for tap in taps:
        if not _leaves(tap.steps[0].before):
            got = f"layer {tap.layer + 1} has no state of numbers"
            raise ConfigError(where, got, "A state is differentiated", "Pass a model whose cells have one")
    return taps


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
    pairs = zip(floating(step.before), last.state, strict=True)
    return all(torch.equal(now.nan_to_num(), left[: len(now)].nan_to_num()) for now, left in pairs)


def visit(step: Step) -> Visit:
    """Return one step as a map of vectors."""
    return Visit(flat(step.before), lambda vectors: flat(step.move(like(step.before, vectors))))


def flat(state: State) -> Tensor:
    """Return the numbers of a state side by side, (B, n); complex ones as their two parts."""
    parts = [torch.view_as_real(leaf) if leaf.is_complex() else leaf for leaf in _leaves(state)]
    return torch.cat([part.flatten(1) for part in parts], 1)


def like(state: State, vectors: Tensor) -> State:
    """Return a state with the numbers of vectors (B, n), and with the other parts of `state`."""
    leaves, structure = pytree.tree_flatten(state)
    start, made = 0, []
    for leaf in leaves:
        size = leaf[0].numel() * (2 if leaf.is_complex() else 1) if _is_number(leaf) else 0
        made.append(_shaped(vectors[:, start : start + size], leaf) if size else leaf)
        start += size
    return pytree.tree_unflatten(made, structure)


def _shaped(part: Tensor, leaf: Tensor) -> Tensor:
    if leaf.is_complex():
        return torch.view_as_complex(part.reshape(len(part), *leaf.shape[1:], 2).contiguous()).to(leaf.dtype)
    return part.reshape(len(part), *leaf.shape[1:]).to(leaf.dtype)


def _leaves(state: State) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(state) if _is_number(leaf)]


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())
