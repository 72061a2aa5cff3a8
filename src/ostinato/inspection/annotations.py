"""Annotations in files: numbers that stand beside the symbols of a text, for units to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError
from ostinato.data.readers import check_file
from ostinato.data.rows import is_missing, number, open_rows
from ostinato.data.series import TABLES

ADVICE = "Write nan where there is none"


def read_annotations(files: Sequence[Path]) -> dict[str, NDArray[np.float64]]:
    """Return the numbers (N,) of each file, named by its stem. Raises ConfigError where two have one name."""
    found: dict[str, NDArray[np.float64]] = {}
    for file in files:
        if file.stem in found:
            got = f"two files are called '{file.stem}'"
            raise ConfigError("--annotation", got, "The name of a file is that of its numbers", "Rename one")
        found[file.stem] = read_annotation(file)
    return found


def read_annotation(file: Path) -> NDArray[np.float64]:
    """Return the numbers (N,) of a file: one a line, the one column of a table, or an array in .npy.

    Those that are nan are not counted. Raises DataError for what cannot be read, with its place.
    """
    if file.suffix.lower() == ".npy":
        return _array(file)
    rows = open_rows(file, format=None if file.suffix.lower() in TABLES else "csv")
    if len(rows.columns) != 1:
        got = f"{len(rows.columns)} columns"
        raise DataError(str(file), got, "An annotation is one column of numbers", "Write each to a file of its own")
    [column] = rows.columns
    return np.array([_number(row.value(column), str(row.place), column) for row in rows])


def _number(value: object, place: str, column: str) -> float:
    return float("nan") if is_missing(value) else number(value, place, column, advice=ADVICE)


def _array(file: Path) -> NDArray[np.float64]:
    check_file(file)
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(str(file), f"no array of numbers ({error})", "An .npy file as np.save writes it", "") from None
    if values.dtype.kind not in "fiub" or values.squeeze().ndim > 1:
        got = f"shape {values.shape} and type {values.dtype}"
        raise DataError(str(file), got, "An annotation is one column of numbers (N,)", "Save each to a file of its own")
    return values.reshape(-1).astype(np.float64)
