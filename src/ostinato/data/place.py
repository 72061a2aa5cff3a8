"""Where an item stands: what an error names, and what costs nothing until an error does."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A file and a number in it, which read as "reviews.csv, line 12"."""

    file: str
    """The file as the user named it."""
    number: int
    """Which line, row or item, from 1."""
    unit: str = "line"
    """What is counted."""

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.number}"
