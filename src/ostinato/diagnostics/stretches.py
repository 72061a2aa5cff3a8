"""By how much a step can stretch a gradient: the spectral norms ‖∂s_{t+1}/∂s_t‖ of all steps that a layer took.

A gradient that goes k steps back is at most as large as their product (Pascanu, Mikolov and Bengio, 2013,
arXiv:1211.5063, equations 5 to 7).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.cell import State, StepAt
from ostinato.diagnostics.jacobians import products
from ostinato.diagnostics.taps import Pass, Tap
from ostinato.diagnostics.visits import Visit, flat, like
from ostinato.unroll.layout import join_states

AT_ONCE = 128
"""Steps that are looked at together: each keeps two vectors a round."""
ROUNDS = 64
"""Of the search for a norm, at most: of states up to as many numbers it finds it but for rounding."""
SURE, IN_A_ROW = 1e-5, 3
"""Of larger ones it ends once so many rounds changed no norm by more than this share of it."""
LOST = 1e-5
"""Share of a vector below which what is left of it, when others are taken away, is rounding."""


@torch.no_grad()
def norms_of_steps(tap: Tap, rows: Tensor | None = None) -> list[Tensor]:
    """Return the largest singular value (B,) of the Jacobian of each step, infinite where that is not finite.

    rows  bool (B,): those that are looked at, the others being left out of each step; None for all.

    They are found from below: of states up to `ROUNDS` numbers but for rounding, of larger ones to about 1e-4. All
    steps are taken as one, each from the state that it was taken from.
    """
    found = []
    for each in filter(lambda each: each.before, tap.passes):
        wanted = [torch.ones(n, dtype=torch.bool) if rows is None else rows[:n] for n in each.rows]
        norms = torch.cat([_norms(part) for part in _at_once(each, torch.cat(wanted))])
        found += norms.split([int(step.sum()) for step in wanted])
    return found


def feeds_itself(tap: Tap) -> bool:
    """Return whether a layer read later what it gave, so that a gradient has other ways back than over its steps.

    The steps are in the graph.
    """
    read = tap.passes[-1].inputs
    if len(tap.passes) == 1 or not read.requires_grad:
        return False
    states = [part for step in tap.steps for part in step.state]
    found = torch.autograd.grad(read.sum(), states, retain_graph=True, allow_unused=True)
    return any(gradient is not None for gradient in found)


def _at_once(each: Pass, kept: Tensor) -> Iterator[Visit]:
    """Yield all steps of a pass as one, those of the rows that are kept (N,), some at a time."""
    before = join_states(each.before)
    for part in kept.nonzero()[:, 0].split(AT_ONCE):
        inputs, state = each.inputs[part], pytree.tree_map(lambda leaf, part=part: leaf[part], before)
        step_at = each.bound.over(inputs, None if each.dt is None else each.dt[part], [len(part)])
        yield _visit(step_at, state)


def _visit(step_at: StepAt, before: State) -> Visit:
    return Visit(flat(before), lambda vectors: flat(step_at(0, like(before, vectors))[1]))


def _norms(found: Visit) -> Tensor:
    """Return the norms (B,) of Jacobians J: of J on the space of v, J.T J v, (J.T J)² v, …, which grows round by round.

    That is the method of Golub and Kahan (1965); whatever is large in J is soon in that space.
    """
    rows, size = found.vectors.shape
    forth, back = products(found)
    basis, images = (found.vectors.new_zeros(rows, min(size, ROUNDS), size) for _ in range(2))
    v = torch.randn(rows, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(basis)
    v, norms = v / v.norm(dim=1, keepdim=True), basis.new_zeros(rows)
    finite, still = torch.ones(rows, dtype=torch.bool, device=v.device), 0
    for k in range(basis.shape[1]):
        image = forth(v[:, :, None])
        finite &= image.isfinite().all(1)[:, 0]
        basis[:, k], images[:, k] = v, image[:, :, 0].nan_to_num(0, 0, 0)
        seen, before = images[:, : k + 1], norms
        norms = torch.linalg.eigvalsh(seen @ seen.mT)[:, -1].clamp(min=0).sqrt()
        still = still + 1 if size > ROUNDS and bool((norms - before <= SURE * norms).all()) else 0
        if still == IN_A_ROW:
            break
        v = _apart(back(image)[:, :, 0].nan_to_num(0, 0, 0), basis[:, : k + 1])
    return norms.where(finite, torch.inf)


def _apart(v: Tensor, basis: Tensor) -> Tensor:
    """Return what is left of vectors (B, n) without those of a basis (B, k, n), of length 1; zeros where nothing is."""
    left = v
    for _ in range(2):  # once is not enough in few digits
        left = left - (basis.mT @ (basis @ left[:, :, None]))[:, :, 0]
    length = left.norm(dim=1, keepdim=True)
    return torch.where(length > LOST * v.norm(dim=1, keepdim=True), left / length, 0)
