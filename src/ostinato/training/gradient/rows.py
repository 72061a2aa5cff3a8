"""Rows of segments and states: the part of a batch that a process, or a group of an update, works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.training.gradient.method import State, leaves_of, map_state


def count_rows(segment: Any) -> int:
    """Return how many rows a segment has."""
    return segment.inputs.shape[1]


def rows_of(segment: Any, first: int, last: int) -> Any:
    """Return rows [first, last) of a segment: of tensors (T, B, …) by the second dimension, (B,) by their only one."""

    def part(tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None else tensor[first:last] if tensor.dim() == 1 else tensor[:, first:last]

    return type(segment)(*map(part, segment))


def rows_of_state(state: State, first: int, last: int) -> State:
    """Return rows [first, last) of a state, whose tensors are (B, …)."""
    return map_state(lambda leaf: leaf[first:last].contiguous(), state)


def joined(states: Sequence[State]) -> State:
    """Return the states of all rows, one below the other; None where all are None."""
    columns = iter(list(zip(*map(leaves_of, states), strict=True)))
    return map_state(lambda _: torch.cat(next(columns)), states[0])
