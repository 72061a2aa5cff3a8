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

from ostinato._errors import ConfigError, DataError
from ostinato.data.lanes import Segment
from ostinato.diagnostics.halves import Compared, Halves
from ostinato.diagnostics.intermediates import state_names
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
    backwards: bool = False
    """Whether it reads from the end."""

    def __str__(self) -> str:
        direction = ", backwards" if self.backwards else ""
        return f"layer {self.layer + 1}{direction}, {self.state}, unit {self.index}"


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
    sequences: int = 1
    """How many sequences they are of."""

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
    Raises DataError for a text that is too short, ConfigError for a model that reads none or has no recurrence, and for
    another count of pieces than of symbols.
    """
    symbols = np.asarray(symbols)
    if not hasattr(model, "read"):
        got, possible = f"a {type(model).__name__} has no `read(segment, state)`", "A language model has one"
        raise ConfigError("units", got, possible, "Pass such a model")
    if len(pieces) != len(symbols):
        got = f"{len(pieces)} pieces of text, of {len(symbols)} symbols"
        raise ConfigError("units", got, "Each symbol has a piece, which may be empty")
    if len(symbols) < FEWEST:
        raise DataError("units", f"{len(symbols)} symbols", f"Possible: {FEWEST} or more", "Give a longer text")
    wanted = tracks_of(pieces, annotations)
    rows = 2 * max(1, min(ROWS, len(symbols) // LANE) // 2)
    lanes = _lanes(symbols, rows)
    values = np.stack([_lanes(track, rows) for track in wanted.values()], -1)
    warm = min(WARM, len(lanes) // 10)
    chooses = np.broadcast_to(np.arange(rows) < rows // 2, lanes.shape)
    halves, names = Halves(lanes.size), list[Unit]()
    for start, taken in _states(model, lanes, boundary, names):
        first = max(0, warm - start)
        here = slice(start + first, start + len(taken))
        halves.add(taken[first:], values[here], chooses[here])
    return as_units(names, [*wanted], halves.compared(), (len(lanes) - warm) * rows)


def as_units(
    names: Sequence[Unit], tracks: Sequence[str], compared: Compared, symbols: int, sequences: int = 1
) -> Units:
    """Return what a comparison of these units with these tracks has found."""
    kept = compared.varies
    return Units(
        tuple(names),
        tuple(name for name, yes in zip(tracks, kept, strict=True) if yes),
        tuple(name for name, yes in zip(tracks, kept, strict=True) if not yes),
        compared.chosen[kept],
        compared.held_out[kept],
        compared.readout[kept],
        symbols,
        sequences,
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
            if not names:
                raise without_units("units")
            yield start, torch.cat([part for *_, part in parts], -1).float()
            for tap in taps:
                tap.steps.clear()
                tap.passes.clear()


def _parts(tap: Tap) -> Iterator[tuple[str, int, str, Tensor]]:
    """Yield (network, layer, state, its values (T, B, n)) of the parts of a layer's state."""
    for name, *steps in zip(state_names(tap), *(step.state for step in tap.steps), strict=True):
        yield tap.network, tap.layer, name, torch.stack([as_row(leaf) for leaf in steps])


def without_units(where: str) -> ConfigError:
    """Return the error of a network that has no units."""
    possible, advice = "A unit is a number of a state", "Pass a model whose cells have one"
    return ConfigError(where, "no state of numbers in its layers", possible, advice)
