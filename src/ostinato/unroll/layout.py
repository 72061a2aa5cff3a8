"""Which rows are alive at which step: lengths, order and direction, settled once before the loop.

Steps are laid out one after the other, each with only the rows that reach it (longest first), as
`torch.nn.utils.rnn.PackedSequence` does, so that work is proportional to the sum of the lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State

_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True)
class Layout:
    """`index` says where each laid-out row stands in the (T·B) rows of the input; None where they are in place."""

    steps: int
    batch: int
    rows: tuple[int, ...]
    """How many rows are alive at each step; never growing, never zero, empty where there is nothing to run."""
    index: Tensor | None
    order: Tensor | None
    """The batch rows, longest first; None where the order is the one given."""

    def pack(self, values: Tensor) -> Tensor:
        """(T, B, …) to (N, …), N the sum of the lengths."""
        flat = values.flatten(0, 1)
        return flat if self.index is None else flat.index_select(0, self.index)

    def unpack(self, packed: Tensor) -> Tensor:
        """(N, …) to (T, B, …), zero beyond the lengths."""
        shape = (self.steps, self.batch, *packed.shape[1:])
        if self.index is None:
            return packed.view(shape)
        flat = packed.new_zeros(self.steps * self.batch, *packed.shape[1:])
        return flat.index_copy(0, self.index, packed).view(shape)

    def sort(self, state):
        """Put the rows of a state in the order of the layout."""
        order = self.order
        return state if order is None else pytree.tree_map(lambda s: s.index_select(0, order), state)

    def unsort(self, state):
        """Put the rows of a state back in the order given."""
        if self.order is None:
            return state
        back = torch.argsort(self.order)
        return pytree.tree_map(lambda s: s.index_select(0, back), state)


def layout(steps: int, batch: int, lengths: Tensor | None, reverse: bool, device: torch.device) -> Layout:
    """Return the layout of a batch; ConfigError where `lengths` does not fit it."""
    if lengths is not None:
        lengths = checked_lengths(lengths, steps, batch)
        if bool((lengths == steps).all()):
            lengths = None
    if lengths is None:
        alive = (batch,) * steps if batch else ()
        return Layout(steps, batch, alive, _reversed(steps, batch, device) if reverse else None, None)
    order = torch.argsort(lengths, descending=True, stable=True)
    ordered, times = lengths[order], torch.arange(steps, device="cpu")[:, None]
    is_alive = ordered > times
    alive = tuple(n for n in is_alive.sum(1).tolist() if n)
    index = ((ordered - 1 - times if reverse else times) * batch + order)[is_alive]
    return Layout(steps, batch, alive, index.to(device), order.to(device))


def checked_lengths(lengths: Tensor, steps: int, batch: int) -> Tensor:
    """Return lengths as int64 on the CPU; ConfigError where their number or values are not possible."""
    lengths = torch.as_tensor(lengths, device="cpu")
    if lengths.dtype not in _WHOLE or lengths.shape != (batch,):
        raise ConfigError(
            "lengths",
            f"{lengths.dtype} of shape {tuple(lengths.shape)}",
            f"One whole number for each of the {batch} rows",
            "",
        )
    lengths = lengths.detach().to(torch.int64)
    if batch and not (int(lengths.min()) >= 0 and int(lengths.max()) <= steps):
        raise ConfigError(
            "lengths",
            f"values from {int(lengths.min())} to {int(lengths.max())}",
            f"A length is between 0 and the {steps} steps of the input",
            "",
        )
    return lengths


def _reversed(steps: int, batch: int, device: torch.device) -> Tensor:
    return (
        torch.arange(steps - 1, -1, -1, device=device)[:, None] * batch + torch.arange(batch, device=device)
    ).flatten()


def state_rows(state: State, start: int, stop: int | None) -> State:
    """Return some rows of a state."""
    return pytree.tree_map(lambda s: s[start:stop], state)


def join_states(states: Sequence[State]) -> State:
    """Return the rows of several states as those of one."""
    return pytree.tree_map(lambda *parts: torch.cat(parts), *states)
