"""Numbers in columns: what is one, what is a gap, and what is neither."""

from __future__ import annotations

import math
from typing import Any

from ostinato._errors import DataError
from ostinato.data.place import Place

_GAPS = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "nil", "#n/a"})


def is_missing(value: Any) -> bool:
    """Say whether `value` stands for a number that is not there: null, NaN, "", "NA", "?"."""
    if isinstance(value, str):
        return value.strip().lower() in _GAPS
    return value is None or ((found := _parsed(value)) is not None and math.isnan(found))


def number(value: Any, place: Place | str, column: str, *, advice: str = "Correct it, or remove the row") -> float:
    """Return `value` as a finite number; DataError, naming `place` and `column`, where it is none.

    `advice` is what to do about a gap, for a caller that can fill it: "--missing interpolate fills it in".
    """
    if is_missing(value):
        got = f"no number in column '{column}' ({value!r})"
        raise DataError(str(place), got, "Each row needs one", advice)
    found = _parsed(value)
    if found is not None and math.isfinite(found):
        return found
    got = f"{_shown(value)} in column '{column}', where a number is needed"
    raise DataError(str(place), got, "Possible: 12, -0.5, 1e-3", _hint(value) or "Correct it, or name another column")


def _parsed(value: Any) -> float | None:
    if isinstance(value, str):
        if "_" in value:  # Python reads 1_000, a table does not mean it
            return None
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _hint(value: Any) -> str:
    if isinstance(value, str) and value.count(",") == 1 and _parsed(value.replace(",", ".")) is not None:
        return "It looks like a decimal comma: write a point"
    return ""
