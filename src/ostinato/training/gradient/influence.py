"""What forward-mode methods keep of the influence J = ds/dθ of any model: all, a pattern, or a rank-one estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, vjp, vmap

from ostinato.training.config import above_zero
from ostinato.training.gradient.method import State
from ostinato.training.gradient.online import RowSteps


@dataclass(frozen=True)
class Exact:
    """All of J, (B, N, P): real-time recurrent learning (Williams and Zipser, 1989).

    Time N² P and memory N P a row and step: for small networks, and as the truth for the others.
    """

    def begin(self, steps: RowSteps) -> State:
        """Return J of the initial state."""
        return steps.begin().expand(steps.batch, -1, -1)

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return (∂L/∂s) J, summed over rows."""
        return steps.shaped(torch.einsum("bn,bnp->p", credit, kept))

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return None: it goes step by step."""
        return None

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return D J + I."""
        through, direct = jacobians(steps, segment, state)
        return through @ kept + direct


@dataclass(frozen=True)
class Sparse:
    """J where a parameter reaches a unit within `n` steps, and nothing elsewhere: SnAp-n (Menick et al., 2021,
    arXiv:2006.07232). Exact where no parameter ever reaches more units, as with n = 1 in a diagonal cell."""

    n: int = 1

    def __post_init__(self):
        above_zero("n", self.n)

    def begin(self, steps: RowSteps) -> State:
        """Return J of the initial state."""
        return steps.begin().expand(steps.batch, -1, -1)

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return (∂L/∂s) J, summed over rows."""
        return steps.shaped(torch.einsum("bn,bnp->p", credit, kept))

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return None: it goes step by step."""
        return None

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return D J + I within the pattern: where J is not zero so far, and where this step's parameters reach."""
        through, direct = jacobians(steps, segment, state)
        reaches, passes = (direct != 0).to(state.dtype), (through != 0).to(state.dtype)
        for _ in range(self.n - 1):
            reaches = ((passes @ reaches + reaches) != 0).to(state.dtype)
        return torch.where((kept != 0) | (reaches != 0), through @ kept + direct, 0)


@dataclass(frozen=True)
class RankOne:
    """J as an outer product of two vectors whose mean is J: UORO (Tallec and Ollivier, 2017, arXiv:1702.05043).

    Memory P and time of a few steps a row; the gradient is noisy and unbiased.
    """

    seed: int = 0

    def begin(self, steps: RowSteps) -> State:
        """Return (s̃ (B, N), θ̃ (B, P))."""
        like = steps.leaves[0]
        return like.new_zeros(steps.batch, steps.width), like.new_zeros(steps.batch, sum(steps.sizes))

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return (∂L/∂s · s̃) θ̃, summed over rows."""
        state, parameters = kept
        return steps.shaped(((credit * state).sum(1, keepdim=True) * parameters).sum(0))

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return None: it goes step by step."""
        return None

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return ρ0 D s̃ + ρ1 ν and θ̃/ρ0 + νᵀI/ρ1, the ρ balancing the sizes of both sides."""
        before, parameters = kept
        generator = torch.Generator().manual_seed(hash((self.seed, *steps.place)) % 2**63)
        signs = torch.randint(0, 2, state.shape, generator=generator).to(state) * 2 - 1
        rows, axes = steps.rows(segment)
        values = steps.values

        def one(row: Any, s: Tensor, tangent: Tensor, sign: Tensor) -> tuple[Tensor, Tensor]:
            back = vjp(lambda v: steps(values, row, v), s)[1]
            # D s̃ as the way back of the way back: torch's forward mode knows fewer operations
            forth = vjp(lambda v: back(v)[0], torch.zeros_like(s))[1]
            (pushed,) = forth(tangent)
            pull = vjp(lambda p: steps(p, row, s), values)[1]
            (found,) = pull(sign)
            return pushed, torch.cat([found[name].reshape(-1) for name in values])

        pushed, pulled = vmap(one, in_dims=(axes, 0, 0, 0))(rows, state, before, signs)
        first, second = _balance(parameters, pushed), _balance(pulled, signs)
        return first * pushed + second * signs, parameters / first + pulled / second


def _balance(of_parameters: Tensor, of_state: Tensor) -> Tensor:
    """Return √(‖θ-side‖ / ‖s-side‖) for each row, 1 where either is nothing."""
    sides = (side.norm(dim=1, keepdim=True) for side in (of_parameters, of_state))
    top, bottom = sides
    tiny = torch.finfo(top.dtype).tiny
    return torch.where((top > tiny) & (bottom > tiny), (top / bottom.clamp(min=tiny)).sqrt(), torch.ones_like(top))


def jacobians(steps: RowSteps, segment: Any, state: Tensor) -> tuple[Tensor, Tensor]:
    """Return ∂s'/∂s (B, N, N) and ∂s'/∂θ (B, N, P) of one step."""
    rows, axes = steps.rows(segment)
    both = vmap(jacrev(steps, argnums=(0, 2)), in_dims=(None, axes, 0))
    direct, through = both(steps.values, rows, state)
    flat = [direct[name].reshape(steps.batch, steps.width, -1) for name in steps.values]
    return through, torch.cat(flat, 2)
