"""Where a forecaster reads: pieces of the series in a store, and the steps from which it looks ahead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.store import Store
from ostinato.models.forecaster import Stretch
from ostinato.training.forecaster.encoding import Encoder, Piece
from ostinato.training.metrics.forecasts import naive_error


class Windows:
    """Pieces of at most `length` steps of the series in a store, each read after up to `warm` steps before it.

    every  steps from one piece to the next; None is the length: each step is in one piece.

    A series of no part that is learned from, scaled by itself, is scaled by what stands before each piece: of its first
    piece the first half tells the scale, and does not count.
    """

    def __init__(self, store: Store, encoder: Encoder, length: int, *, every: int | None = None, warm: int = 0):
        self.store, self.encoder, self.warm = store, encoder, warm
        self._leads = store.column("lead") if len(store) else np.zeros(0, np.int64)
        places = []
        for item, steps in enumerate(store.lengths("values") - self._leads):
            starts = np.arange(0, steps, length) if every is None else _overlapping(int(steps), length, every)
            places += [(item, int(start), int(min(length, steps - start))) for start in starts]
        self._places = np.array(places, np.int64).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self._places)

    def lengths(self, name: str) -> NDArray[np.int64]:
        """Return how many steps each piece has, whatever the column."""
        return self._places[:, 2]

    def piece(self, index: int) -> Piece:
        """Return a piece."""
        item, start, count = (int(part) for part in self._places[index])
        first = int(self._leads[item]) + start
        warm = min(self.warm, first)
        if not first and self.encoder.run.data.scaling == "item" and not _is_learned(self.store, item):
            warm = first = -(-count // 2)
            count -= warm
        return piece_of(self.store, self.encoder, item, (first - warm, first + count), warm=warm, known=first)


class Origins:
    """Steps of the series in a store from which `horizon` steps are forecast, `every` so many steps.

    Before an origin at most `context` steps are read.
    """

    def __init__(self, store: Store, encoder: Encoder, context: int, horizon: int, every: int):
        self.store, self.encoder, self.context, self.horizon = store, encoder, context, horizon
        leads = store.column("lead") if len(store) else np.zeros(0, np.int64)
        places = []
        for item, (lead, steps) in enumerate(zip(leads, store.lengths("values"), strict=True)):
            first = int(lead) or max(1, min(context, int(steps) - horizon))  # after a first value
            places += [(item, origin) for origin in range(first, int(steps) - horizon + 1, every)]
        self._places = np.array(places, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, indices: NDArray) -> Asked:
        """Return what is asked from these origins."""
        places = [tuple(int(part) for part in self._places[index]) for index in indices]
        pieces = [piece_of(self.store, self.encoder, i, (max(0, o - self.context), o), known=o) for i, o in places]
        after = [piece_of(self.store, self.encoder, i, (o, o + self.horizon), known=o) for i, o in places]
        truth = [piece.values[-self.horizon :] for piece in after]
        known, gaps = self.encoder.ahead([piece.known for piece in after], [piece.gaps for piece in after])
        scaling = np.stack([piece.scaling for piece in pieces])
        naive = np.stack([self._naive(item, origin) for item, origin in places])
        moved = np.stack([self.encoder.moved(part) for part in scaling])
        return Asked(self.encoder.stretch(pieces), known, gaps, moved, np.stack(truth, 1), scaling, naive)

    def _naive(self, item: int, origin: int) -> NDArray[np.float64]:
        if _is_learned(self.store, item):
            return self.store.read("naive", item)[0]
        return naive_error(self.store.read("values", item)[:origin], self.encoder.schema.season)

    def end(self, index: int) -> int:
        """Return how many rows of its series stand before an origin."""
        return int(self._places[index, 1])

    def of_item(self, item: int) -> NDArray[np.int64]:
        """Return the numbers of the origins of a series."""
        return np.flatnonzero(self._places[:, 0] == item)


class Asked(NamedTuple):
    """Forecasts that are asked for: B histories, what is known of the steps ahead, and what comes."""

    history: Stretch
    known: Tensor
    """(H, B, C)"""
    gaps: Tensor
    """(H, B)"""
    moved: NDArray[np.float64]
    """(B, D): what was taken off the values, and is to be added to what is said."""
    truth: NDArray[np.float64]
    """(H, B, D)"""
    scaling: NDArray[np.float64]
    """(B, 2, D)"""
    naive: NDArray[np.float64]
    """(B, D): the mean absolute error of the seasonal-naive forecast in what was learned from, or before the origin."""


def piece_of(store: Store, encoder: Encoder, item: int, rows: tuple[int, int], *, known: int, warm: int = 0) -> Piece:
    """Return rows [first, last) of a series in a store, and those before it that the lags reach.

    It is scaled as its part that is learned from; where there is none, by the first `known` rows.
    """
    (first, last), ahead = rows, "known" in store.columns
    values = store.read("values", item)
    gaps = store.read("gaps", item)
    covariates = store.read("known", item) if ahead else np.zeros((len(gaps), 0))
    by_item = encoder.run.data.scaling == "item" and _is_learned(store, item)
    scaling = store.read("scaling", item) if by_item else encoder.scaling(values[:known])
    start = max(0, first - encoder.before)
    return Piece(values[start:last], covariates[first:last], gaps[first:last], scaling, warm)


def _is_learned(store: Store, item: int) -> bool:
    """Say whether a part of this series is learned from."""
    return len(store.read("scaling", item)) > 0


def _overlapping(steps: int, length: int, every: int) -> NDArray[np.int64]:
    """Return starts `every` so many steps, and one that ends where the series does."""
    last = max(0, steps - length)
    return np.unique(np.append(np.arange(0, last, every), last)) if steps else np.zeros(0, np.int64)
