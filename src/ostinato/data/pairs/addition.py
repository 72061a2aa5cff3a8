"""Additions written as text: "123+45" becomes "168" (Sutskever, Vinyals and Le, 2014; the task of Keras' addition_rnn).

Numbers are drawn as there: first how many digits, then each digit, so that small numbers are as frequent as large.
No sum is given twice, 12+3 and 3+12 being one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ostinato._errors import ConfigError
from ostinato.data.pairs.pair import Pair, Pairs
from ostinato.data.place import Place

NAME = "generated:addition"
_MOST_DIGITS = 12
_MOST_ITEMS = 10_000_000  # all are kept in memory, so that none is given twice
_BLOCK = 4096


@dataclass(frozen=True)
class Addition:
    """Which additions."""

    digits: int = 3
    """Digits that a number has at most."""
    items: int = 50_000
    """How many additions there are."""
    reversed: bool = False
    """Whether the question is written from its end to its beginning."""
    padded: bool = True
    """Whether spaces make all questions equally long, and all answers."""
    seed: int = 0
    """Which of the many."""

    def __post_init__(self):
        if not 1 <= self.digits <= _MOST_DIGITS:
            raise ConfigError(NAME, f"digits={self.digits}", f"Possible: 1 to {_MOST_DIGITS}")
        numbers = 10**self.digits
        most = min(numbers * (numbers + 1) // 2, _MOST_ITEMS)
        if not 1 <= self.items <= most:
            possible = f"Possible: 1 to {most:,} of {self.digits} digits"
            raise ConfigError(NAME, f"items={self.items}", possible)
        if self.seed < 0:
            raise ConfigError(NAME, f"seed={self.seed}", "Possible: 0 or more")

    def source(self, question: str) -> str:
        """Return a question as the model reads it."""
        written = question.strip().ljust(2 * self.digits + 1) if self.padded else question.strip()
        return written[::-1] if self.reversed else written

    def pairs(self) -> Pairs:
        """Return the additions; each iteration gives the same."""
        words = f"{self.items:,} additions of at most {self.digits} digits"
        words += ", questions reversed" * self.reversed + ", padded with spaces" * self.padded
        return Pairs(NAME, "generated", words, ("char", "char"), self._read)

    def _read(self) -> Iterator[Pair]:
        for number, (first, second) in enumerate(self._sums(), 1):
            answer = str(first + second)
            answer = answer.ljust(self.digits + 1) if self.padded else answer
            yield Pair(Place(NAME, number, "item"), self.source(f"{first}+{second}"), (answer,))

    def _sums(self) -> Iterator[tuple[int, int]]:
        import numpy as np  # which --help does without

        random, seen = np.random.default_rng(self.seed), set[tuple[int, int]]()
        while True:
            lengths = random.integers(1, self.digits + 1, (_BLOCK, 2))
            for first, second in random.integers(0, 10**lengths).tolist():
                key = (min(first, second), max(first, second))
                if key not in seen:
                    seen.add(key)
                    yield first, second
                if len(seen) == self.items:
                    return
