"""A cell whose starting state is learned; the step stays the one of the cell it wraps."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato.cells.cell import Bound, Cell, State
from ostinato.cells.wrappers.wrapper import Wrapper


class LearnedInitialState(Wrapper):
    """The state before the first step is a parameter, zero at the start of training.

    >>> from ostinato import LSTM
    >>> [tuple(p.shape) for p in LearnedInitialState(LSTM(32, 64)).initial]
    [(64,), (64,)]
    """

    def __init__(self, inner: Cell):
        super().__init__(inner)
        leaves = pytree.tree_leaves(inner.initial_state(1))
        self.initial = nn.ParameterList([nn.Parameter(leaf[0].clone()) for leaf in leaves])

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return the learned state for every row."""
        learned = iter(self.initial)
        like = self.inner.initial_state(batch_size, device=device, dtype=dtype)

        def start(other: Tensor) -> Tensor:
            leaf = next(learned)
            return (leaf if dtype is None else leaf.to(other.dtype)).expand_as(other)

        return pytree.tree_map(start, like)

    def bind(self) -> Bound:
        """Return the wrapped cell's bound form with this starting state."""
        return self._started(self.inner.bind())

    def begin(self, inputs: Tensor) -> tuple[Bound, Tensor]:
        """Return the wrapped cell's bound form for one call, with this starting state."""
        bound, inputs = self.inner.begin(inputs)
        return self._started(bound), inputs

    def prepare(self) -> None:
        """Do nothing: the program stays what it is."""

    def _started(self, bound: Bound) -> Bound:
        bound = copy.copy(bound)
        bound.initial_state = self.initial_state  # type: ignore[method-assign]
        return bound
