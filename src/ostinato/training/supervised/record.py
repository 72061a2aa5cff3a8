"""Lines of CSV tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostinato.training.run_folder import write_text


def record(fields: Sequence[Any]) -> str:
    """Return the fields as a line of CSV, without its end.

    >>> record(["a, b", 1])
    '"a, b",1'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


class Table:
    """Lines of a table, written as a file at once."""

    def __init__(self, *headings: str):
        self._lines = [record(headings)]

    def add(self, *fields: Any) -> None:
        """Add a line."""
        self._lines.append(record(fields))

    def write(self, path: Path) -> None:
        """Replace the file by the table."""
        write_text(path, "\n".join(self._lines) + "\n")
