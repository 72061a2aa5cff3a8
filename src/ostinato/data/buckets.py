"""Batches of items that are about equally long, so that little of a batch is padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POOL = 50
"""Batches whose items are sorted together; the more, the less padding and the less chance in what stands together."""


def shuffled_batches(lengths: NDArray, size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Return the batches of an epoch, each up to `size` numbers of items; the same (seed, epoch) gives the same.

    >>> [batch.tolist() for batch in shuffled_batches(np.array([3, 9, 3, 9, 3]), 2, seed=0, epoch=0)]
    [[1], [2, 4], [0, 3]]
    """
    generator = np.random.default_rng((seed, epoch))
    order, batches = generator.permutation(len(lengths)), []
    for start in range(0, len(order), size * POOL):
        pool = order[start : start + size * POOL]
        batches += cut(pool[np.argsort(lengths[pool], kind="stable")], size)
    return [batches[k] for k in generator.permutation(len(batches))]


def sorted_batches(lengths: NDArray, size: int) -> list[NDArray[np.int64]]:
    """Return all items in batches, the shortest first."""
    return cut(np.argsort(lengths, kind="stable"), size)


def cut(order: NDArray, size: int) -> list[NDArray]:
    """Return an order in pieces of up to `size`."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def padding(lengths: NDArray, batches: list[NDArray]) -> float:
    """Return the share of all steps that are padding.

    >>> padding(np.array([1, 3]), [np.array([0]), np.array([1])]), padding(np.array([1, 2, 5]), [np.arange(3)]) > 0.46
    (0.0, True)
    """
    steps = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1 - float(lengths.sum()) / steps if steps else 0.0
