"""Items that are left out: counted by reason, each reason with the first place it was met at, and said."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Skipped:
    """Counts what is left out.

    >>> skipped = Skipped("row")
    >>> skipped.add("without a label", "reviews.csv, line 7")
    >>> skipped.add("without a label", "reviews.csv, line 9")
    >>> skipped.lines()
    ['left out 2 rows without a label (the first: reviews.csv, line 7)']
    """

    def __init__(self, what: str):
        self.what = what
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, place: Any) -> None:
        """Count an item at `place` that is left out for this reason."""
        self._first.setdefault(reason, str(place))
        self.counts[reason] += 1

    def lines(self) -> list[str]:
        """Return a line for each reason."""
        return [
            f"left out {count:,} {self.what}{'s' if count > 1 else ''} {reason} (the first: {self._first[reason]})"
            for reason, count in self.counts.items()
        ]
