"""A line of a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any


def record(fields: Sequence[Any]) -> str:
    """Return the fields as a line of CSV, without its end.

    >>> record(["a, b", 1])
    '"a, b",1'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
