"""A cell's state in a beam: any structure of tensors, its rows taken in another order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError


def reordered(state: Any, parents: Tensor, left: Tensor | None = None) -> Any:
    """Return the state of B x K rows as the places `parents` (B, K') of each row's K take it on: B x K' rows.

    With `left` (b,), the numbers of some of the B rows, those alone: b x K' rows.
    Raises ConfigError for a tensor that has not one row for each hypothesis.
    """
    return pytree.tree_map(lambda leaf: _taken(leaf, parents, left) if isinstance(leaf, Tensor) else leaf, state)


def _taken(leaf: Tensor, parents: Tensor, left: Tensor | None) -> Tensor:
    rows = len(parents)
    if leaf.ndim == 0 or (len(leaf) % rows if rows else len(leaf)) or (rows and not len(leaf)):
        got = f"a tensor of shape {tuple(leaf.shape)}"
        raise ConfigError("state", got, f"Its tensors have the hypotheses of {rows} rows first", _ADVICE)
    first = torch.arange(rows, device=parents.device)[:, None] * (len(leaf) // max(rows, 1))
    places = first + parents if left is None else (first + parents)[left]
    return leaf.index_select(0, places.flatten().to(leaf.device))


_ADVICE = "Leave what all hypotheses share out of the state"
