"""Ω of Pascanu, Mikolov and Bengio (2013, arXiv:1211.5063, eq. 9): gradients keep their norm from step to step.

    Ω = mean over k of ( ‖∂E/∂s_{k+1} ∂s_{k+1}/∂s_k‖ / ‖∂E/∂s_{k+1}‖ - 1 )²

for any cell and whatever state s it has. As in eq. 10 its gradient is the immediate one: of the weights within
∂s_{k+1}/∂s_k, while s_k and ∂E/∂s_{k+1} are taken as given. The mean, over steps and rows, is that of their code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.cell import State
from ostinato.diagnostics.taps import apart, as_row, is_number, numbers
from ostinato.layers.stack import Seen

LEAST = 1e-20
"""Squared norm below which a row's gradient counts as none, as in their code."""


def vanishing(seen: Seen, credit: Tensor) -> Tensor:
    """Return Ω of a layer; `credit` (T, B, O) is ∂E/∂outputs.

    The layer is run once more, step by step, whichever engine ran it before.
    """
    with torch.enable_grad():
        before, after = _states(seen)
    given = torch.autograd.grad(
        _outputs_of(after), _leaves(after), list(wide(credit)), allow_unused=True, materialize_grads=True
    )
    leaves = len(given) // len(after)
    credits = [torch.cat(given[k::leaves]).detach() for k in range(leaves)]
    return _omega(seen, before, credits)


def wide(tensor: Tensor) -> Tensor:
    """Return the tensor in float32 where it is narrower."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _states(seen: Seen) -> tuple[list[State], list[tuple[Tensor, State]]]:
    """Return the state before each step, cut from the graph, and (output, state) after it, in one graph."""
    inputs = wide(seen.inputs.detach())
    fresh = seen.cell.initial_state(inputs.shape[1], device=inputs.device, dtype=inputs.dtype)
    state = pytree.tree_map(_cut, fresh if seen.state is None else seen.state)
    before: list[State] = []
    after: list[tuple[Tensor, State]] = []
    for t, x in enumerate(inputs):
        if seen.reset is not None:
            state = _begun_anew(state, fresh, seen.reset[t])
        before.append(pytree.tree_map(Tensor.detach, state))
        after.append(apart(*seen.cell.step(x, state)))
        state = after[-1][1]
    return before, after


def _omega(seen: Seen, before: list[State], credits: Sequence[Tensor]) -> Tensor:
    """Take all steps at once, each from the state that was, and compare norms row by row."""
    state = pytree.tree_map(lambda *steps: _cut(torch.cat(steps)), *before)
    _, reached = seen.cell.step(wide(seen.inputs.detach()).flatten(0, 1), state)
    back = torch.autograd.grad(
        numbers(reached), numbers(state), credits, create_graph=True, allow_unused=True, materialize_grads=True
    )
    given, left = _squared_norm(credits), _squared_norm(back)
    counts = given > LEAST
    if seen.reset is not None:
        counts = counts & ~seen.reset.flatten()
    ratio = (left.clamp(min=torch.finfo(left.dtype).tiny) / given.clamp(min=LEAST)).sqrt()
    return ((ratio - 1).square() * counts).sum() / counts.sum().clamp(min=1)


def _begun_anew(state: State, fresh: State, reset: Tensor) -> State:
    return pytree.tree_map(lambda old, new: torch.where(reset.view(-1, *[1] * (old.dim() - 1)), new, old), state, fresh)


def _cut(leaf: Tensor) -> Tensor:
    return leaf.detach().requires_grad_(is_number(leaf))


def _outputs_of(after: list[tuple[Tensor, State]]) -> list[Tensor]:
    return [output for output, _ in after]


def _leaves(after: list[tuple[Tensor, State]]) -> list[Tensor]:
    return [leaf for _, state in after for leaf in numbers(state)]


def _squared_norm(parts: Sequence[Tensor]) -> Tensor:
    """Return, of each row of all tensors together, the squared norm."""
    return torch.stack([as_row(part).square().sum(1) for part in parts]).sum(0)
