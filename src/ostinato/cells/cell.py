"""The contract of a cell: a starting state and one step. What equations cannot say is written as a plain `Cell`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError

State = Any
"""A tensor (B, n), or a (named) tuple of such tensors."""
StepAt = Callable[[int, State], tuple[Tensor, State]]


class Cell(nn.Module):
    """One step of a recurrent network. Subclasses define `initial_state` and `step`, and set the three sizes.

    The same `unroll`, layers, training and decoding work on any cell.
    """

    input_size: int
    hidden_size: int
    output_size: int
    uses_dt = False
    """Whether `step` takes the time since the last step, as a third argument (B,)."""
    needs_positive_dt = False
    """Whether that time must be above 0."""
    draws = False
    """Whether a call of `unroll` draws by chance, as wrappers do while training."""

    def initial_state(
        self, batch_size: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """Return the state before the first step, for `batch_size` rows."""
        raise TypeError(f"{type(self).__name__} does not define initial_state(batch_size, *, device, dtype)")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step: x (B, input_size) and the state before it to (output (B, output_size), state after it)."""
        raise TypeError(f"{type(self).__name__} does not define step(x, state)")

    def forward(self, x: Tensor, state: State = None, *dt: Tensor) -> tuple[Tensor, State]:
        """Take one step, from the initial state where none is given."""
        if state is None:
            state = self.initial_state(x.shape[0], device=x.device, dtype=x.dtype)
        return self.step(x, state, *dt)

    def bind(self) -> Bound:
        """Return what engines run: the step together with the tensors it reads."""
        return BoundCell(self)

    def begin(self, inputs: Tensor) -> tuple[Bound, Tensor]:
        """Return what engines run for one call, and its inputs (T, B, input_size) with what rides beside them.

        Whatever is left to chance is drawn here.
        """
        return self.bind(), inputs


class Bound(Protocol):
    """A cell with its tensors, as engines see it."""

    input_size: int
    output_size: int
    uses_dt: bool
    needs_positive_dt: bool

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        """Return the state before the first step."""
        ...

    def over(self, data: Tensor, dt: Tensor | None, rows: Sequence[int]) -> StepAt:
        """Return the step as a function of (k, state).

        `data` (N, D) and `dt` (N,) hold the rows of step 0, then those of step 1, …; `rows` says how many each has.
        """
        ...


class BoundCell:
    """A plain cell as engines see it: nothing can leave the loop."""

    def __init__(self, cell: Cell):
        for size in ("input_size", "hidden_size", "output_size"):
            if not hasattr(cell, size):
                raise ConfigError(f"cell {type(cell).__name__}", f"it has no {size}", "A cell sets its three sizes")
        self.cell = cell
        self.input_size, self.output_size, self.uses_dt = cell.input_size, cell.output_size, cell.uses_dt
        self.needs_positive_dt = cell.needs_positive_dt

    def initial_state(self, batch_size: int, *, device: torch.device, dtype: torch.dtype) -> State:
        """Return the cell's own starting state."""
        return self.cell.initial_state(batch_size, device=device, dtype=dtype)

    def over(self, data: Tensor, dt: Tensor | None, rows: Sequence[int]) -> StepAt:
        """Return the cell's own step over the pieces of `data`."""
        pieces = data.split(list(rows))
        times = () if dt is None or not self.uses_dt else dt.split(list(rows))
        return lambda k, state: self._pair(self.cell.step(pieces[k], state, *(t[k] for t in (times,) if t)))

    def _pair(self, result: Any) -> tuple[Tensor, State]:
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], Tensor):
            got = f"{type(result).__name__}" + (f" of {len(result)}" if isinstance(result, tuple) else "")
            raise ConfigError(f"cell {type(self.cell).__name__}", f"step gave a {got}", "It gives (output, state)")
        return result
