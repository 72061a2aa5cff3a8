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


def colour(text: str, *, bare: bool = True) -> NDArray[np.float32] | None:
    """Return a colour as red, green and blue from 0 to 1, or None for what is written otherwise.

    `bare` allows six digits without their '#'.

    >>> colour("#ff8000").round(3).tolist(), colour("teal")
    ([1.0, 0.5019999742507935, 0.0], None)
    """
    text = text.strip()
    short = _SHORT.fullmatch(text)
    digits = "".join(2 * digit for digit in short[1]) if short else (m := _COLOUR.fullmatch(text)) and m[1]
    if not digits or not (bare or text.startswith("#")):
        return None
    return np.array(list(bytes.fromhex(digits)), np.float32) / np.float32(255)


def is_of_colours(rows: Rows, column: str) -> bool:
    """Say whether every first value of a column is a colour with its '#'."""
    values = [str(row.values.get(column) or "") for row in rows.first]
    return bool(values) and all(value.startswith("#") and colour(value) is not None for value in values)


def is_of_bare_colours(rows: Rows, column: str) -> bool:
    """Say whether the first values of a column are colours without '#': 123456 alone is a number, beside ff8000 none.

    Values with their '#' may stand between them.
    """
    values = [str(row.values.get(column) or "").strip() for row in rows.first]
    return all(colour(value) is not None for value in values) and not all(
        value.startswith("#") or _is_number(value) for value in values
    )


def vector_of_row(row: Row, columns: Sequence[str], *, bare: bool = False) -> NDArray[np.float32]:
    """Return the numbers (D,) of these columns; one column may hold a colour, or a list of numbers.

    `bare` takes six digits without '#' for a colour. Raises DataError, naming the column, for what is no finite number.
    """
    if len(columns) == 1:
        value = row.value(columns[0])
        if isinstance(value, (str, int)) and (found := colour(str(value), bare=bare)) is not None:
            return found
        if isinstance(value, (list, tuple)):
            return _checked([number(entry, row.place, columns[0]) for entry in value], row.place)
    return _checked([number(row.value(column), row.place, column) for column in columns], row.place)


def vector_of_text(text: str, place: Place, width: int | None = None) -> NDArray[np.float32]:
    """Return a colour, or numbers between commas or spaces, as (D,). Raises DataError for what is neither.

    Six digits without '#' are a colour where `width`, the numbers that are needed, is 3, or where it is not known and
    they are no number.
    """
    bare = width == 3 or (width is None and not _is_number(text))
    found = colour(text, bare=bare)
    if found is not None:
        return found
    parts = text.replace(",", " ").split()
    try:
        return _checked([float(part) for part in parts], place)
    except ValueError:
        shown = text if len(text) <= 60 else text[:60] + "…"
        raise DataError(str(place), f"{shown!r} is no vector", _POSSIBLE, "Correct it, or leave it out") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _checked(numbers: Sequence[float], place: Place) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.array(numbers, np.float32)
    if not values.size or not np.isfinite(values).all():
        got = "no number at all" if not values.size else "a number that is not finite"
        raise DataError(str(place), got, _POSSIBLE, "Correct it, or leave it out")
    return values
