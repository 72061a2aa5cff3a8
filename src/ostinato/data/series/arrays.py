"""Series from NumPy archives: an array (T,), (T, D), or (N, T, D) of N series, without pickle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError, did_you_mean
from ostinato.data.frames.archive import Array, arrays_of
from ostinato.data.series.missing import complete
from ostinato.data.series.series import Columns, Missing, Series, SeriesFile

USUAL = ("values", "series", "x", "data", "arr_0")


def array_series(path: Path, asked: Columns, missing: Missing) -> SeriesFile:
    """Return the series of one array of an archive, named by `asked.target`; covariates and times are arrays beside it.

    Raises DataError for an archive that is damaged, arrays that are not there, of objects or of another form.
    """
    arrays = arrays_of(path)
    name = asked.target[0] if asked.target else _usual(path, arrays)
    if len(asked.target) > 1:
        raise DataError(str(path), f"{len(asked.target)} arrays to forecast", "One array holds all columns", "")
    values = _as_series(_array(path, arrays, name))
    covariates = [_as_series(_array(path, arrays, other)) for other in asked.covariates]
    times = None if asked.time is None else _array(path, arrays, asked.time).whole()
    for other, array in zip(asked.covariates, covariates, strict=True):
        if len(array) != len(values) or array.shape[1] < values.shape[1]:
            got = f"array '{other}' of {len(array)} series of {array.shape[1]} steps"
            raise DataError(str(path), got, f"'{name}' has {len(values)} of {values.shape[1]}", "")
    if times is not None and (times.ndim != 1 or len(times) < values.shape[1]):
        raise DataError(str(path), f"times of shape {times.shape}", f"One for each of {values.shape[1]} steps", "")
    size = values.shape[2]
    names = (name,) if size == 1 else tuple(f"{name} {d + 1}" for d in range(size))
    known = tuple(
        other if array.shape[2] == 1 else f"{other} {d + 1}"
        for other, array in zip(asked.covariates, covariates, strict=True)
        for d in range(array.shape[2])
    )

    def read() -> Iterator[Series]:
        for k in range(len(values)):
            place = f"{path}, array {name}" + (f", series {k + 1}" if len(values) > 1 else "")
            places = [f"{place}, step {step + 1}" for step in range(values.shape[1])]
            whole, filled = complete(values[k], times, places, names, missing)
            steps = min([array.shape[1] for array in covariates], default=len(whole))
            beside = np.concatenate([np.zeros((steps, 0)), *(array[k, :steps] for array in covariates)], 1)
            yield Series(f"{k + 1}" if len(values) > 1 else "", whole, beside, times, place, filled=filled)

    words = f"NPZ, array '{name}': {len(values):,} series of {values.shape[1]:,} steps of {size} numbers"
    return SeriesFile(names, known, words, read)


def _usual(path: Path, arrays: dict[str, Array]) -> str:
    found = [name for name in USUAL if name in arrays] or list(arrays)
    if len(found) != 1 and found[0] not in USUAL:
        raise DataError(str(path), f"{len(arrays)} arrays", f"Arrays: {', '.join(arrays)}", "Name one with --target")
    return found[0]


def _array(path: Path, arrays: dict[str, Array], name: str) -> Array:
    if name not in arrays:
        advice = did_you_mean(name, arrays)
        raise DataError(str(path), f"no array '{name}'", f"Arrays: {', '.join(arrays)}", advice)
    return arrays[name]


def _as_series(found: Array) -> NDArray[np.float64]:
    """Return the array as (N, T, D)."""
    where = f"{found.path}, array {found.name}"
    if found.dtype.kind not in "fiub" or len(found.shape) not in (1, 2, 3) or 0 in found.shape:
        got = f"shape {found.shape} and type {found.dtype}"
        raise DataError(where, got, "Series are numbers (T,), (T, D) or (N, T, D)", "Save it as one array of numbers")
    array = found.whole().astype(np.float64)
    if np.isinf(array).any():
        place = tuple(int(k) for k in np.argwhere(np.isinf(array))[0])
        raise DataError(
            where, f"infinite at {place}", "A value is a finite number", "Set it to NaN where it is missing"
        )
    return array[None, :, None] if array.ndim == 1 else array[None] if array.ndim == 2 else array
