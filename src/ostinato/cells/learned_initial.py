"""A cell whose starting state is learned; the step stays the one of the cell it wraps."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato.cells.cell import Bound, Cell, State


class LearnedInitialState(Cell):
    """Wrap `inner` so that its state before the first step is a parameter, zero at the start of training."""

    def __init__(self, inner: Cell):
        super().__init__()
        self.inner = inner
        self.input_size, self.hidden_size, self.output_size = (
            inner.input_size,
            inner.hidden_size,
            inner.output_size,
        )
        leaves = pytree.tree_leaves(inner.initial_state(1))
        self.initial = nn.ParameterList([nn.Parameter(leaf[0].clone()) for leaf in leaves])

    @property
    def uses_dt(self) -> bool:  # type: ignore[override]
        """What the wrapped cell says."""
        return self.inner.uses_dt

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return the learned state for every row."""
        learned = iter(self.initial)
        like = self.inner.initial_state(batch_size, device=device, dtype=dtype)

        def start(other: Tensor) -> Tensor:
            leaf = next(learned)
            return (leaf if dtype is None else leaf.to(other.dtype)).expand_as(other)

        return pytree.tree_map(start, like)

    def step(self, x: Tensor, state: State, *dt: Tensor) -> tuple[Tensor, State]:
        """Take the wrapped cell's step."""
        return self.inner.step(x, state, *dt)

    def bind(self) -> Bound:
        """Return the wrapped cell's bound form with this starting state."""
        bound = copy.copy(self.inner.bind())
        bound.initial_state = self.initial_state  # type: ignore[method-assign]
        return bound
