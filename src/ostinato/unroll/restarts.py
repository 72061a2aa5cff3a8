"""Resets, in one place for every engine: a layout is cut where rows start again, and run piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.cell import Bound, State
from ostinato.unroll.layout import Layout, join_states, state_rows

Engine = Callable[..., tuple[Tensor, State, State | None]]


def run(
    engine: Engine,
    bound: Bound,
    data: Tensor,
    state: State,
    layout: Layout,
    reset: Tensor,
    dt: Tensor | None,
    keep: bool,
):
    """Run `engine` over the pieces of a layout; arguments and results as in `eager.run`, with `reset` (N,) bool.

    Before a piece, the rows that `reset` marks at its first step take the cell's initial state.
    """
    flags = reset.split(list(layout.rows))
    starts = [k for k, marked in enumerate(torch.stack([flag.any() for flag in flags]).tolist()) if marked or k == 0]
    outputs, states, finished = [], [], []
    begun = 0
    for start, stop in zip(starts, [*starts[1:], len(layout.rows)], strict=True):
        rows = layout.rows[start:stop]
        finished.append(state_rows(state, rows[0], None))
        state = _restart(bound, state_rows(state, 0, rows[0]), flags[start])
        part = slice(begun, begun + sum(rows))
        piece = replace(layout, steps=stop - start, batch=rows[0], rows=rows, index=None, order=None)
        output, state, every = engine(bound, data[part], state, piece, dt=None if dt is None else dt[part], keep=keep)
        outputs.append(output)
        states.append(every)
        begun = part.stop
    last = join_states([state, *reversed(finished)])
    return torch.cat(outputs), last, (join_states(states) if keep else None)


def _restart(bound: Bound, state: State, which: Tensor) -> State:
    dtype = pytree.tree_leaves(state)[0].dtype
    initial = bound.initial_state(len(which), device=which.device, dtype=dtype)

    def chosen(old: Tensor, new: Tensor) -> Tensor:
        return torch.where(which.view(-1, *[1] * (old.dim() - 1)), new.to(old.dtype), old)

    return pytree.tree_map(chosen, state, initial)
