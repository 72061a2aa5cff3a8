"""What goes on in a sequence of numbers, column by column: what units may follow there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnostics.tracks import Track

MOST, GROUPS = 8, 4
"""Columns that are followed one by one; more of them are taken together, neighbours in so many groups."""


def column_tracks(values: NDArray[np.floating], names: Sequence[str] | None = None) -> dict[str, Track]:
    """Return every track of sequences of numbers (T, B, D), each (T, B).

    steps read      from 1.
    each column     as it is; called as `names` says, or `number 1`, …
    its mean so far the mean of all steps until this one.
    its change      since the step before; NaN at the first.

    Of more than eight columns the means of four groups of neighbours are taken in their place.

    >>> found = column_tracks(np.array([[[1.0]], [[4.0]]]), ["heat"])
    >>> {name: track[:, 0].tolist() for name, track in found.items()}
    {'steps read': [1.0, 2.0], 'heat': [1.0, 4.0], 'heat, mean so far': [1.0, 2.5], 'heat, change': [nan, 3.0]}
    """
    steps = np.arange(1.0, len(values) + 1)[:, None]
    found = {"steps read": np.broadcast_to(steps, values.shape[:2]).copy()}
    for name, column in grouped(values, names).items():
        change = np.diff(column, axis=0, prepend=np.nan)
        found |= {name: column, f"{name}, mean so far": np.cumsum(column, 0) / steps, f"{name}, change": change}
    return found


def grouped(values: NDArray[np.floating], names: Sequence[str] | None = None) -> dict[str, Track]:
    """Return the columns (T, B) of (T, B, D) by name, or where there are many, means of neighbours.

    >>> [*grouped(np.zeros((1, 1, 40)))][:2]
    ['numbers 1 to 10', 'numbers 11 to 20']
    """
    numbers, width = np.asarray(values, np.float64), values.shape[-1]
    if width <= MOST:
        return {name: numbers[..., k] for k, name in enumerate(names or [f"number {k + 1}" for k in range(width)])}
    parts = np.array_split(np.arange(width), GROUPS)
    return {_together(part, names): numbers[..., part].mean(-1) for part in parts}


def _together(part: NDArray[np.integer], names: Sequence[str] | None) -> str:
    first, last = part[0], part[-1]
    return f"numbers {first + 1} to {last + 1}" if names is None else f"{names[first]} to {names[last]}"
