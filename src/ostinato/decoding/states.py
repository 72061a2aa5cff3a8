"""A cell's state in a beam: any structure of tensors, its rows taken in another order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError


def reordered(state: Any, count: int, parents: Tensor, left: Tensor | None = None) -> Any:
    """Return the state of `count` = B x K rows as the places `parents` (B, K') of each row's K take it on: B x K' rows.

    With `left` (b,), the numbers of some of the B rows, those alone: b x K' rows.
    Raises ConfigError for a tensor that has not one row for each hypothesis.
    """
    rows = len(parents)
    places = torch.arange(rows, device=parents.device)[:, None] * (count // max(rows, 1)) + parents
    places = (places if left is None else places[left]).flatten()

    def taken(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if leaf.ndim == 0 or len(leaf) != count:
            got, advice = f"a tensor of shape {tuple(leaf.shape)}", "Leave what all hypotheses share out of the state"
            raise ConfigError("state", got, f"Its tensors have {count} rows here, hypotheses first", advice)
        return leaf.index_select(0, places.to(leaf.device))

    return pytree.tree_map(taken, state)
