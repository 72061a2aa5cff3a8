"""What the networks of a model read, row by row: as the page shows it, and what units may follow beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.diagnostics.columns import column_tracks, grouped
from ostinato.diagnostics.pieces import piece_tracks
from ostinato.inspection.words import number

COMMONEST = 5
"""Of classes, tags and labels that are followed one by one."""
BARS = "▁▂▃▄▅▆▇█"
"""Stand for the first number of a step, from the least to the largest."""
SHOWN = 64
"""Sequences that are shown at most."""
NOTED = 4
"""Numbers of a step that are told in words."""


@dataclass(frozen=True)
class Rows:
    """N sequences that one network reads."""

    network: str
    """Its `Recurrent`, as `named_modules` names it."""
    what: str
    """What these are, as "the sources"."""
    unit: str
    """What a step is called: symbol, word, step."""
    lengths: NDArray[np.int64]
    """(N,)"""
    pieces: Sequence[Sequence[str]]
    """What each step of each is shown as."""
    tracks: Mapping[str, NDArray[np.float64]]
    """(T, N) by name, NaN where one has no value."""
    whole: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(N,) by name: what is known of whole sequences."""
    labels: Sequence[str] = ()
    """What is said of each sequence; empty where nothing is."""
    notes: Sequence[Sequence[str]] = ()
    """What is said of each step of each; empty where nothing is."""
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(T, N) by name: the numbers that are read; none of symbols."""
    neighbours: bool = False
    """Whether sequences that follow each other are of one series."""

    @property
    def chooses(self) -> NDArray[np.bool_]:
        """The half that chooses units, (N,) or (T, N): every other sequence, or of one series what comes first."""
        count = len(self.lengths)
        if count == 1:
            steps = int(self.lengths[0])
            return np.arange(steps)[:, None] < steps // 2
        return np.arange(count) < count // 2 if self.neighbours else np.arange(count) % 2 == 0

    def judged(self, most: int) -> list[tuple[int, int]]:
        """Return sequences of the half that judges, each with how many of its steps are shown: `most` in all."""
        first = np.broadcast_to(self.chooses, (int(self.lengths.max()), len(self.lengths)))
        last = first[np.maximum(self.lengths - 1, 0), np.arange(len(self.lengths))]
        chosen = []
        for row in np.random.default_rng(0).permutation(np.flatnonzero(~last & (self.lengths > 0)))[:SHOWN].tolist():
            if most:
                chosen.append((row, min(int(self.lengths[row]), most)))
                most -= chosen[-1][1]
        return sorted(chosen)

    def told(self, row: int) -> list[str]:
        """Return what is said of each step of a sequence, to who walks to it."""
        pieces = [piece.strip() or "no text" for piece in self.pieces[row]]
        notes, label = self.notes[row] if self.notes else [""] * len(pieces), self.labels[row] if self.labels else ""
        if not self.columns:
            notes = [f"{piece}: {note}" if note else piece for piece, note in zip(pieces, notes, strict=True)]
        return [f"{note} ({label})" if label else note for note in notes]


def picked(batch: Any, places: NDArray[np.integer]) -> Any:
    """Return some rows of a batch: of tensors (T, B, …) by the second dimension, of (B,) by their only one."""
    rows = torch.from_numpy(places)
    return type(batch)(*(part if part is None else part.index_select(min(part.dim() - 1, 1), rows) for part in batch))


def symbol_rows(network: str, what: str, unit: str, pieces: Sequence[Sequence[str]], **further: Any) -> Rows:
    """Return rows of symbols with what goes on in them."""
    lengths = np.array([*map(len, pieces)])
    each = [piece_tracks(row) for row in pieces]
    tracks = {name: beside([row[name] for row in each], int(lengths.max())) for name in piece_tracks([])}
    tracks |= further.pop("tracks", {})
    return Rows(network, what, unit, lengths, pieces, tracks, **further)


def number_rows(
    network: str, what: str, values: Tensor, lengths: Tensor, names: Sequence[str] | None = None, **further: Any
) -> Rows:
    """Return rows of numbers (T, N, D), with what goes on in them."""
    steps = lengths.numpy(force=True).astype(np.int64)
    read = values[: int(steps.max())].double().numpy(force=True)
    there = np.arange(len(read))[:, None] < steps
    read = np.where(there[..., None], read - read[there].mean(0), np.nan)
    columns = grouped(values[: len(read)].double().numpy(force=True), names)
    tracks = column_tracks(read, names) | {
        name: track[: len(read)] for name, track in further.pop("tracks", {}).items()
    }
    pieces, notes = _bars(columns, steps), _numbers_of(columns, steps)
    return Rows(network, what, "step", steps, pieces, tracks, notes=notes, columns=columns, **further)


def beside(rows: Sequence[NDArray], steps: int) -> NDArray[np.float64]:
    """Return rows side by side (steps, N), NaN behind their ends."""
    found = np.full((steps, len(rows)), np.nan)
    for k, row in enumerate(rows):
        found[: len(row), k] = row
    return found


def one_of(numbers: NDArray, names: Sequence[str], what: str) -> dict[str, NDArray[np.float64]]:
    """Return a track for each of the commonest of these names, 1 where it is; NaN where a number is below 0.

    Of two names one tells both.
    """
    counts = np.bincount(numbers[numbers >= 0].astype(int), minlength=len(names))
    common = np.argsort(-counts, kind="stable")[: 1 if (counts > 0).sum() == 2 else COMMONEST]
    return {f"{what} {names[k]}": np.where(numbers < 0, np.nan, numbers == k) for k in common.tolist() if counts[k] > 0}


def _bars(columns: Mapping[str, NDArray], lengths: NDArray) -> list[list[str]]:
    """Return the first column as characters that are higher the larger it is."""
    first = np.nan_to_num(next(iter(columns.values())))
    low, high = first.min(), first.max()
    places = ((first - low) / ((high - low) or 1) * (len(BARS) - 1)).round().astype(int)
    return [[BARS[k] for k in places[:length, row]] for row, length in enumerate(lengths)]


def _numbers_of(columns: Mapping[str, NDArray], lengths: NDArray) -> list[list[str]]:
    shown = [*columns.items()][:NOTED]
    return [
        [
            f"step {k + 1}: " + ", ".join(f"{name} {number(float(column[k, row]))}" for name, column in shown)
            for k in range(length)
        ]
        for row, length in enumerate(lengths)
    ]
