"""Vectors in tables: columns of numbers, or a colour written #rrggbb."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.place import Place
from ostinato.data.rows import Row, Rows, number

_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")
_SHORT = re.compile(r"#([0-9a-fA-F]{3})")
_POSSIBLE = "Possible: a colour such as #ff8000, or numbers: 0.5, -2, 1e-3"


def colour(text: str) -> NDArray[np.float32] | None:
    """Return a colour as red, green and blue from 0 to 1, or None for what is written otherwise.

    >>> colour("#ff8000").round(3).tolist(), colour("teal")
    ([1.0, 0.5019999742507935, 0.0], None)
    """
    text = text.strip()
    short = _SHORT.fullmatch(text)
    digits = "".join(2 * digit for digit in short[1]) if short else (m := _COLOUR.fullmatch(text)) and m[1]
    return np.array(list(bytes.fromhex(digits)), np.float32) / np.float32(255) if digits else None


def is_of_colours(rows: Rows, column: str) -> bool:
    """Say whether every first value of a column is a colour with its '#'."""
    values = [str(row.values.get(column) or "") for row in rows.first]
    return bool(values) and all(value.startswith("#") and colour(value) is not None for value in values)


def vector_of_row(row: Row, columns: Sequence[str]) -> NDArray[np.float32]:
    """Return the numbers (D,) of these columns; one column may hold a colour, or a list of numbers.

    Raises DataError, naming the column, for what is no finite number.
    """
    if len(columns) == 1:
        value = row.value(columns[0])
        if isinstance(value, str) and (found := colour(value)) is not None:
            return found
        if isinstance(value, (list, tuple)):
            return _checked([number(entry, row.place, columns[0]) for entry in value], row.place)
    return _checked([number(row.value(column), row.place, column) for column in columns], row.place)


def vector_of_text(text: str, place: Place) -> NDArray[np.float32]:
    """Return a colour, or numbers between commas or spaces, as (D,). Raises DataError for what is neither."""
    found = colour(text)
    if found is not None:
        return found
    parts = text.replace(",", " ").split()
    try:
        return _checked([float(part) for part in parts], place)
    except ValueError:
        shown = text if len(text) <= 60 else text[:60] + "…"
        raise DataError(str(place), f"{shown!r} is no vector", _POSSIBLE, "Correct it, or leave it out") from None


def _checked(numbers: Sequence[float], place: Place) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.array(numbers, np.float32)
    if not values.size or not np.isfinite(values).all():
        got = "no number at all" if not values.size else "a number that is not finite"
        raise DataError(str(place), got, _POSSIBLE, "Correct it, or leave it out")
    return values
