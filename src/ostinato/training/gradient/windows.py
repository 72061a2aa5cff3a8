"""Exact traces over a window, where no unit reaches another: back-propagation within it, a trace of what is before.

With E the trace of the state s the window begins with, the gradient of the window's loss is that of back-propagation
through the window plus (∂L/∂s) E: the formula of `online` for many steps at once. And because unit i feels only its own
rows of the parameters, one way back from Σ_i s'_i of a row of the batch gives all of the new trace,

    E' = (∂s'/∂s) E + ∂s'/∂θ            both taken unit by unit

on whatever engine runs the layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.training.gradient.method import State, leaves_of, map_state
from ostinato.training.gradient.online import RowSteps
from ostinato.training.gradient.traces import cells_of, layer_of, why_no_traces, why_not_exact


def fits(steps: RowSteps, segment: Any) -> bool:
    """Return whether a window can be followed at once: exact traces, and no row that starts anew within it."""
    if getattr(segment, "reset", None) is not None:
        return False
    return why_no_traces(steps.model) is None and why_not_exact(steps) is None


def follow(steps: RowSteps, segment: Any, state: State, kept: State) -> State:
    """Return the traces after a window; `state` is the model's before it."""
    model: Any = steps.model
    (cell,) = cells_of(model)
    layer, (traces,) = layer_of(cell), kept
    with torch.no_grad():
        inputs = model.inputs(segment)
    tensors = [getattr(cell, stack) for stack in layer.parameters]
    wanted = [p for p in tensors if p.requires_grad]
    after = tuple(tuple(torch.empty_like(trace) for trace in of_state) for of_state in traces)
    for row in range(steps.batch):
        start = map_state(lambda leaf, k=row: leaf[k : k + 1].detach().requires_grad_(), state)
        with torch.enable_grad():
            ends = leaves_of(model.recurrent(inputs[:, row : row + 1], start)[1])
        for a, end in enumerate(ends):
            found = torch.autograd.grad(
                end.sum(), [*leaves_of(start), *wanted], retain_graph=a + 1 < len(ends), allow_unused=True
            )
            own, of_parameters = found[: len(ends)], dict(zip(map(id, wanted), found[len(ends) :], strict=True))
            for k, (stack, tensor) in enumerate(zip(layer.parameters, tensors, strict=True)):
                weights = [None if p is None else layer.by_row(stack, p)[0] for p in own]
                before = [of_state[k][row] for of_state in traces]
                _write(after[a][k][row], of_parameters.get(id(tensor)), weights, before)
    return (after,)


def _write(out: Tensor, direct: Tensor | None, weights: list[Tensor | None], before: list[Tensor]) -> None:
    """Write ∂s'/∂θ + Σ_b (∂s'/∂s_b) E_b of one row and parameter into `out`, in as few passes as there are states."""
    total = torch.zeros_like(out) if direct is None else direct
    for weight, trace in zip(weights, before, strict=True):
        if weight is not None:
            total = torch.addcmul(total, weight.view(-1, *[1] * (trace.dim() - 1)), trace, out=out)
    if total is not out:
        out.copy_(total)
