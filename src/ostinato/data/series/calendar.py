"""What a calendar says of a step: where in the day, the week, the year it lies, as a point on a circle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.data.series.times import DATES, DAY_S, SECOND, Step


class Cycle(NamedTuple):
    """A period of the calendar."""

    name: str
    seconds: float
    longest: float
    """Steps up to so many seconds lie several to a period."""


CYCLES = (
    Cycle("hour of day", DAY_S, DAY_S / 3),
    Cycle("day of week", 7 * DAY_S, 3 * DAY_S),
    Cycle("day of year", 365.2425 * DAY_S, 200 * DAY_S),
)


def cycles_of(step: Step, span: float) -> tuple[str, ...]:
    """Return the names of the cycles that steps see, of series that span so many steps: at least two periods."""
    if step.unit == "numbers":
        return ()
    seconds = step.size * (30.44 * DAY_S if step.unit == "months" else 1)
    return tuple(c.name for c in CYCLES if seconds <= c.longest and span * seconds >= 2 * c.seconds)


def on_cycles(times: NDArray, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return (T, 2 N): for each cycle the sine and cosine of the place in it."""
    if not names:
        return np.zeros((len(times), 0))
    seconds = (times.astype(DATES) - np.datetime64("2001-01-01", "us")) / SECOND  # a Monday, and a new year
    angles = np.stack([2 * np.pi * seconds / c.seconds for c in CYCLES if c.name in names], -1)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(len(times), -1)
