"""Gaps in a sequence of numbers: refused with their position, or filled the way that was asked for."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.place import Place

Missing = Literal["refuse", "interpolate", "zero"]
_OFFER = "--missing interpolate puts a line between its neighbours, --missing zero puts 0"


def check_missing(missing: str) -> None:
    """Raise ConfigError unless `missing` is a way to treat gaps."""
    if missing not in get_args(Missing):
        ways = list(get_args(Missing))
        raise ConfigError("missing", f"'{missing}'", f"Possible: {', '.join(ways)}", did_you_mean(missing, ways))


def without_gaps(values: np.ndarray, missing: Missing, place: Place) -> np.ndarray:
    """Return `values` (T, D) as float32 with every NaN filled, or raise DataError that names its step.

    "interpolate" puts a straight line between the numbers around a gap, and the nearest number at an end;
    "zero" puts 0. Infinity is refused always, and a channel without any number where it would be interpolated.
    """
    values = np.asarray(values, dtype=np.float32)
    if not values.size:
        raise DataError(str(place), "no steps in it", "A sequence has one step at least", "Remove the item")
    if np.isinf(values).any():
        raise _bad(np.isinf(values), "an infinite number", place, "Correct it, or remove the item")
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if missing == "refuse":
        raise _bad(gaps, "no number (NaN)", place, _OFFER)
    if missing == "zero":
        return np.where(gaps, np.float32(0), values)
    return np.stack([_line(values[:, channel], channel, place) for channel in range(values.shape[1])], axis=1)


def _line(series: np.ndarray, channel: int, place: Place) -> np.ndarray:
    known = np.flatnonzero(~np.isnan(series))
    if not known.size:
        got = f"channel {channel + 1} holds no number at all"
        raise DataError(str(place), got, "A line needs a number to go through", "--missing zero puts 0")
    return np.interp(np.arange(len(series)), known, series[known]).astype(np.float32)


def _bad(where: np.ndarray, what: str, place: Place, advice: str) -> DataError:
    step, channel = (int(index) + 1 for index in np.argwhere(where)[0])
    at = f"at step {step}" + (f" of channel {channel}" if where.shape[1] > 1 else "")
    more = int(where.sum()) - 1
    got = f"{what} {at}" + (f", and {more} more in the item" if more else "")
    return DataError(str(place), got, "A model reads finite numbers", advice)
