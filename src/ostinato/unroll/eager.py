"""The eager engine: one step after the other with torch operations. Every other engine is compared with it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.cell import Bound, State
from ostinato.unroll.layout import Layout, join_states, state_rows


def run(
    bound: Bound,
    data: Tensor,
    state: State,
    layout: Layout,
    *,
    dt: Tensor | None = None,
    keep: bool = False,
):
    """Apply the step along a layout.

    data (N, D) and dt (N,) are laid out; state is in the layout's order.
    Returns outputs (N, O), the state after each row's last step, and with `keep` the states (N, …) after every step.
    """
    step_at = bound.over(data, dt, layout.rows)
    carried = [leaf.dtype for leaf in pytree.tree_leaves(state)]
    outputs, states, finished = [], [], []
    alive = layout.batch
    for k, rows in enumerate(layout.rows):
        if rows < alive:
            finished.append(state_rows(state, rows, alive))
            state, alive = state_rows(state, 0, rows), rows
        output, state = step_at(k, state)
        state = _typed(state, carried)
        outputs.append(output)
        if keep:
            states.append(state)
    last = join_states([state, *reversed(finished)]) if finished else state
    empty = data.new_zeros(0, bound.output_size)
    return torch.cat(outputs) if outputs else empty, last, (join_states(states) if states else None)


def _typed(state: State, dtypes: list[torch.dtype]) -> State:
    leaves, structure = pytree.tree_flatten(state)
    if all(leaf.dtype == dtype for leaf, dtype in zip(leaves, dtypes, strict=True)):
        return state
    return pytree.tree_unflatten([leaf.to(dtype) for leaf, dtype in zip(leaves, dtypes, strict=True)], structure)
