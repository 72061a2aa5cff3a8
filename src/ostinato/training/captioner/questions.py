"""Figures by kind of question, told by its first words, as for visual questions (Antol et al., 2015, arXiv:1505.00468).

A kind is the first two words of a question, or three where more than a quarter of all begin with the same two.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ostinato.training.metrics.texts import Texts
from ostinato.training.supervised.record import Table

LARGE = 0.25
"""Share of the questions above which a kind is told by a word more."""
SMALL = 0.01
"""Share below which a kind is counted among the others."""
MOST = 12
"""Kinds that are told, the others one of them."""
AROUND = "?!.,:;¿¡？！。"
"""What is no part of a word at its ends."""
OTHERS = "others"


class Kind(NamedTuple):
    """Questions that begin alike."""

    name: str
    items: int
    exact: float
    """Share that is answered exactly right."""


class Questions:
    """Counts answers that are exactly right by the first words of their questions; None is no question.

    >>> questions = Questions()
    >>> for text in ("how many?", "Is it red?", "where is it?", "who sits?"):
    ...     questions.add(text, "no", ["no" if "red" in text else "two"])
    >>> questions.lines()[:2]
    ['how many    0.00% of 1 exactly right', 'is it     100.00% of 1 exactly right']
    """

    def __init__(self, *, lowercase: bool = False):
        self._lowercase = lowercase
        self._all: Counter[tuple[str, ...]] = Counter()
        self._right: Counter[tuple[str, ...]] = Counter()

    def add(self, question: str | None, written: str, references: list[str]) -> None:
        """Count an answer beside its references."""
        if question is not None:
            one = Texts(["exact"], lowercase=self._lowercase)
            one.add(written, references)
            words = tuple(word for part in question.casefold().split() if (word := part.strip(AROUND)))[:3]
            self._all[words] += 1
            self._right[words] += int(one.figures()["exact"])

    def kinds(self) -> list[Kind]:
        """Return the kinds, the largest first and the others last; nothing where there are no two."""
        total = self._all.total()
        pairs = Counter[tuple[str, ...]]()
        for words, count in self._all.items():
            pairs[words[:2]] += count
        items, right = Counter[str](), Counter[str]()
        for words, count in self._all.items():
            name = " ".join(words if pairs[words[:2]] > LARGE * total else words[:2])
            items[name] += count
            right[name] += self._right[words]
        told = [name for name, count in items.most_common() if count >= SMALL * total]
        told = told if len(told) == len(items) <= MOST else told[: MOST - 1]
        found = [Kind(name, items[name], right[name] / items[name]) for name in told]
        if rest := items.keys() - set(told):
            count = sum(items[name] for name in rest)
            found.append(Kind(OTHERS, count, sum(right[name] for name in rest) / count))
        return found if len(found) > 1 else []

    def lines(self) -> list[str]:
        """Return a line for each kind."""
        kinds = self.kinds()
        width = max((len(kind.name) for kind in kinds), default=0)
        return [f"{kind.name:<{width}} {kind.exact:8.2%} of {kind.items:,} exactly right" for kind in kinds]

    def write(self, path: Path) -> None:
        """Replace a CSV file by the table of the kinds; nothing is written where there are none."""
        if kinds := self.kinds():
            table = Table("question", "items", "exact")
            for kind in kinds:
                table.add(kind.name, kind.items, f"{kind.exact:.4f}")
            table.write(path)
