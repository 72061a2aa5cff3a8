"""Values that are missing: refused with their place, or interpolated when asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.series.series import Missing


def complete(
    values: NDArray[np.float64], times: NDArray | None, places: Sequence[str], names: Sequence[str], missing: Missing
) -> tuple[NDArray[np.float64], int]:
    """Return values (T, D) without NaN, and how many were filled in: between neighbours in time, at the ends the next.

    Raises DataError with the place of the first, unless `missing` is "interpolate"; and for a column without values.
    """
    absent = np.isnan(values)
    if not absent.any():
        return values, 0
    row, column = (int(k) for k in np.argwhere(absent)[0])
    where = f"{places[row]}, column {names[column]}"
    if missing == "error":
        got = f"a value is missing, the first of {int(absent.sum())}"
        raise DataError(where, got, "Every step has a value", "Let them be interpolated with --missing interpolate")
    along = np.arange(len(values)) if times is None else (times[: len(values)] - times[0]).astype(np.float64)
    filled = values.copy()
    for d in range(values.shape[1]):
        known = ~absent[:, d]
        if not known.any():
            where = f"{places[0]}, column {names[d]}"
            raise DataError(where, "all values are missing", "Between values one is interpolated", "Leave it out")
        filled[~known, d] = np.interp(along[~known], along[known], values[known, d])
    return filled, int(absent.sum())
