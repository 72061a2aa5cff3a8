"""A line of JSONL: one object, or an error that says what stands there instead."""

from __future__ import annotations

import json
from typing import Any

from ostinato._errors import DataError


def json_object(line: str, where: str, example: str) -> dict[str, Any]:
    """Return the object that `line` holds; DataError at `where`, showing `example`, when it holds none."""
    possible = f"A line reads {example}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        shown = repr(line[:60]) + ("…" if len(line) > 60 else "")  # repr: no control characters
        advice = "Correct or remove the line"
        if line.lstrip().startswith("["):
            advice = "A list is no JSONL: write its objects one a line, for instance with jq -c '.[]'"
        raise DataError(where, f"not JSON: {shown} ({error})", possible, advice) from None
    if not isinstance(row, dict):
        raise DataError(where, f"{json_type(row)}, not an object", possible, "Write one object a line")
    return row


def json_type(value: object) -> str:
    """Name what `value` is in JSON: "a list", "null"."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
