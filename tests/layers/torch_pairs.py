"""torch's own recurrent layers beside ours: the same weights, the same inputs."""

import pytest
import torch
from torch.utils import _pytree as pytree

from ostinato import nn

KINDS = ["RNN", "GRU", "LSTM"]
every_kind = pytest.mark.parametrize("kind", KINDS)
T, B, D, H = 5, 3, 4, 6


def numbers(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def pair(kind, *args, dtype=torch.float64, **kwargs):
    """Return torch's module and ours with the same weights."""
    theirs = getattr(torch.nn, kind)(*args, dtype=dtype, **kwargs)
    ours = getattr(nn, kind)(*args, dtype=dtype, **kwargs)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def start(kind, rows, batch=B, size=H, dtype=torch.float64):
    h = numbers(rows, batch, size, seed=2, dtype=dtype)
    return (h, numbers(rows, batch, H, seed=3, dtype=dtype)) if kind == "LSTM" else h


def assert_same(got, expected, **tolerance):
    torch.testing.assert_close(pytree.tree_leaves(got), pytree.tree_leaves(expected), **tolerance)
