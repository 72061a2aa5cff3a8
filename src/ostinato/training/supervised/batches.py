"""Batches of a store as the loop reads them: each is a reading, and an epoch is as many readings as there are batches.

Which batch a reading is follows from the seed and its number alone, so a run that goes on finds the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.buckets import padding, shuffled_batches, sorted_batches
from ostinato.training.devices import move
from ostinato.training.gradient.method import cut
from ostinato.training.gradient.rows import rows_of


class Items(Protocol):
    """What batches are made of: a store, or what reads as one."""

    def __len__(self) -> int: ...

    def lengths(self, name: str) -> NDArray:
        """Return how long each item is in a column."""
        ...


Collate = Callable[[Any, NDArray], Any]
"""Makes a batch of the items of these numbers: a named tuple of tensors (T, B, …) and (B,), `inputs` the first."""


class Batches:
    """A store in batches of items about equally long.

    by       the column whose length is the item's.
    own      the share of each batch, [first, last) of `of`, that this process reads.
    mixed    whether items of all lengths stand in a batch: more padding, but no batch is of one kind alone.
    """

    def __init__(
        self,
        store: Items,
        by: str,
        batch_size: int,
        seed: int,
        collate: Collate,
        *,
        own: tuple[int, int] | None = None,
        mixed: bool = False,
    ):
        self.store, self.by, self.batch_size, self.seed, self.collate = store, by, batch_size, seed, collate
        self.own, self.mixed = own or (0, batch_size), mixed
        self.lengths = store.lengths(by)
        self.count = -(-len(store) // batch_size)
        self._epoch, self._order = -1, []
        self.begin(0)

    def begin(self, reading: int) -> None:
        """Read the batch of this reading."""
        epoch, number = divmod(reading, self.count)
        if epoch != self._epoch:
            lengths = np.ones_like(self.lengths) if self.mixed else self.lengths
            self._epoch, self._order = epoch, shuffled_batches(lengths, self.batch_size, self.seed, epoch)
        batch = self._order[number]
        self.rows = len(batch)
        first, last = (self.rows * end // self.batch_size for end in self.own)
        self._segment = rows_of(self.collate(self.store, batch), first, last)
        self.length: int = self._segment.inputs.shape[0]

    def segment(self, position: int, length: int) -> Any:
        """Return steps of all rows of the batch."""
        return cut(self._segment, position, min(position + length, self.length))

    def part(self, first: int, last: int) -> Batches:
        """Return the part of each batch that rows [first, last) are of a full one."""
        return Batches(
            self.store, self.by, self.batch_size, self.seed, self.collate, own=(first, last), mixed=self.mixed
        )

    @property
    def longest(self) -> list[int]:
        """Steps of each batch of the epoch that is read."""
        return [int(self.lengths[batch].max()) for batch in self._order]

    @property
    def padding(self) -> float:
        """Share of all steps that are padding, in the epoch that is read."""
        return padding(self.lengths, self._order)


def in_batches(
    store: Items, by: str, size: int, collate: Collate, device: torch.device
) -> Iterator[tuple[NDArray, Any]]:
    """Yield all items of a store once, those of a length together: their numbers, and the batch on `device`."""
    for batch in sorted_batches(store.lengths(by), size):
        yield batch, move(collate(store, batch), device)
