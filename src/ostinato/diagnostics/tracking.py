"""Which units of a language model follow what goes on in a text, as Karpathy, Johnson and Fei-Fei look for them (2015,
arXiv:1506.02078, section 4.1).

Every number of every layer's state is a unit: of an LSTM, h and c. One half of the text chooses the unit of each track
by its correlation; how well it follows is said of the other half, which the choice has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import DataError
from ostinato.data.lanes import Segment
from ostinato.diagnostics.intermediates import state_names
from ostinato.diagnostics.readout import readout
from ostinato.diagnostics.taps import Tap, as_row, in_evaluation, stepped, tapped
from ostinato.diagnostics.tracks import Annotation, tracks_of

ROWS, LANE = 32, 1000
"""Lanes that a text is read in at most, and the symbols of each at least, unless the text is shorter than two."""
AT_ONCE = 256
"""Steps whose states are kept at a time."""
WARM = 100
"""Symbols at the start of a lane that are read and not counted: its state has seen nothing before them."""
FEWEST = 200
"""Symbols of a text at least."""


class Unit(NamedTuple):
    """One number of a state."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    state: str
    """The part of the state, as h or c."""
    index: int

    def __str__(self) -> str:
        return f"layer {self.layer + 1}, {self.state}, unit {self.index}"


@dataclass(frozen=True)
class Units:
    """All units, and how they follow each track."""

    units: tuple[Unit, ...]
    tracks: tuple[str, ...]
    """Those that change in both halves of the text."""
    constant: tuple[str, ...]
    """Those that do not, of which nothing can be said."""
    chosen: NDArray[np.float64]
    """(tracks, units) Pearson's r in the first half."""
    held_out: NDArray[np.float64]
    """(tracks, units) Pearson's r in the second half."""
    readout: NDArray[np.float64]
    """(tracks,) r in the second half of what all units together say, by a ridge regression on the first."""
    symbols: int
    """How many are counted, in both halves."""

    def best(self, track: str, count: int = 1) -> list[tuple[Unit, float]]:
        """Return the units whose |r| is largest in the first half, each with its r in the second."""
        k = self.tracks.index(track)
        order = np.argsort(-np.abs(self.chosen[k]), kind="stable")[:count]
        return [(self.units[u], float(self.held_out[k, u])) for u in order]


def units(
    model: nn.Module,
    symbols: NDArray[np.integer],
    pieces: Sequence[str],
    *,
    annotations: Mapping[str, Annotation] | None = None,
    boundary: int | None = None,
) -> Units:
    """Return how every unit of a language model follows each track of a text.

    model        with `read(segment, state) -> (scores, state)`, as `LanguageModel`.
    symbols      (N,) of the text.
    pieces       the text of each; see `tracks_of`, also for `annotations`.
    boundary     the symbol that starts a document, where states begin anew.

    The text is read in lanes side by side, on the eager engine and in evaluation mode; the model is left as it was.
    Raises DataError for a text that is too short, ConfigError for a model without recurrence.
    """
    if len(symbols) < FEWEST:
        raise DataError("units", f"{len(symbols)} symbols", f"Possible: {FEWEST} or more", "Give a longer text")
    wanted = tracks_of(pieces, annotations)
    rows = 2 * max(1, min(ROWS, len(symbols) // LANE) // 2)
    lanes = _lanes(symbols, rows)
    values = np.stack([_lanes(track, rows) for track in wanted.values()], -1)
    warm = min(WARM, len(lanes) // 10)
    moments, sample = _Moments(rows), _Sample(lanes.size)
    names: list[Unit] = []
    for start, taken in _states(model, lanes, boundary, names):
        first = max(0, warm - start)
        moments.add(taken[first:], values[start + first : start + len(taken)])
        sample.add(taken[first:], values[start + first : start + len(taken)])
    (chosen, spread), (held_out, held_spread) = moments.correlations()
    varies = (spread > 0) & (held_spread > 0)
    kept = np.flatnonzero(varies)
    return Units(
        tuple(names),
        tuple(name for name, yes in zip(wanted, varies, strict=True) if yes),
        tuple(name for name, yes in zip(wanted, varies, strict=True) if not yes),
        chosen[kept],
        held_out[kept],
        readout(*sample.halves(), kept),
        (len(lanes) - warm) * rows,
    )


def states_of(model: nn.Module, symbols: NDArray[np.integer], boundary: int | None = None) -> tuple[list[Unit], Tensor]:
    """Return all units, and what they are worth (T, units) after each symbol of a text that is read in one row."""
    names: list[Unit] = []
    pieces = [taken[:, 0] for _, taken in _states(model, symbols[:, None], boundary, names)]
    return names, torch.cat(pieces)


def _lanes(values: NDArray, rows: int) -> NDArray:
    """Return (T, rows) of values (N,), of which a few at the end are left out."""
    steps = len(values) // rows
    return values[: steps * rows].reshape(rows, steps).T


@torch.no_grad()
def _states(model: nn.Module, lanes: NDArray, boundary: int | None, names: list[Unit]) -> Iterator[tuple[int, Tensor]]:
    """Yield (first step, all units (T, B, U)) of some steps at a time; `names` are filled in at the first."""
    tokens, state = torch.from_numpy(lanes.astype(np.int64)), None
    with in_evaluation(model), tapped(model) as taps:
        for start in range(0, len(tokens), AT_ONCE):
            read = tokens[start : start + AT_ONCE]
            reset = None if boundary is None else read == boundary
            segment = Segment(read, read, reset if reset is not None and bool(reset.any()) else None)
            _, state = model.read(segment, state)  # type: ignore[operator]
            parts = [part for tap in stepped("units", taps) for part in _parts(tap)]
            if not names:
                names.extend(Unit(n, k, s, i) for n, k, s, part in parts for i in range(part.shape[-1]))
            yield start, torch.cat([part for *_, part in parts], -1).float()
            for tap in taps:
                tap.steps.clear()
                tap.passes.clear()


def _parts(tap: Tap) -> Iterator[tuple[str, int, str, Tensor]]:
    """Yield (network, layer, state, its values (T, B, n)) of the parts of a layer's state."""
    for name, *steps in zip(state_names(tap), *(step.state for step in tap.steps), strict=True):
        yield tap.network, tap.layer, name, torch.stack([as_row(leaf) for leaf in steps])


class _Moments:
    """Sums over both halves of a text: of units, tracks and their products."""

    def __init__(self, rows: int):
        self.halves = (slice(0, rows // 2), slice(rows // 2, rows))
        self.sums: list[list[Tensor]] = [[], []]

    def add(self, taken: Tensor, values: NDArray[np.float64]) -> None:
        """Count steps: units (T, B, U) and tracks (T, B, K), NaN where a track has no value."""
        tracked = torch.from_numpy(np.ascontiguousarray(values))
        for half, sums in zip(self.halves, self.sums, strict=True):
            x, y = taken[:, half].flatten(0, 1).double(), tracked[:, half].flatten(0, 1)
            there = y.isfinite()
            y, there = y.where(there, 0.0), there.double()
            new = [there.sum(0)[:, None], y.sum(0)[:, None], y.square().sum(0)[:, None]]
            new += [there.T @ x, there.T @ x.square(), y.T @ x]
            sums[:] = [a + b for a, b in zip(sums, new, strict=True)] if sums else new

    def correlations(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return, of each half, Pearson's r (K, U), 0 of a unit that never changes, and the tracks' variances (K,)."""
        found = []
        for n, y, yy, x, xx, xy in self.sums:
            n = n.clamp(min=1)
            within_y, within_x = yy - y * y / n, (xx - x * x / n).clamp(min=0)
            scale = (within_y.clamp(min=0) * within_x).sqrt()
            r = ((xy - x * y / n) / scale).where(scale > 1e-9 * n, 0.0).clamp(-1, 1)
            found.append((r.numpy(), (within_y / n)[:, 0].where(within_y[:, 0] > 1e-9 * n[:, 0], 0.0).numpy()))
        return found


class _Sample:
    """Steps spread evenly over a text, to fit a readout to."""

    MOST = 16_000

    def __init__(self, size: int):
        self.every = max(1, -(-size // self.MOST))
        self.taken: list[tuple[Tensor, Tensor]] = []

    def add(self, taken: Tensor, values: NDArray[np.float64]) -> None:
        """Keep some steps of these."""
        kept = slice(None, None, self.every)
        self.taken.append((taken[kept].clone(), torch.from_numpy(values[kept].copy()).float()))

    def halves(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return (units (n, U), tracks (n, K)) of the first half of the text, and of the second."""
        x, y = (torch.cat(parts) for parts in zip(*self.taken, strict=True))
        middle = x.shape[1] // 2
        first, second = slice(0, middle), slice(middle, None)
        return tuple((x[:, half].flatten(0, 1), y[:, half].flatten(0, 1)) for half in (first, second))  # type: ignore[return-value]
