"""Figures of entities that tags spell, by seqeval: right is an entity whose words and type are all right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostinato._errors import DataError
from ostinato.training.metrics.labels import ClassRow

AVERAGES = ("micro avg", "macro avg", "weighted avg")


class Entities:
    """Sentences with their tags beside those predicted, in IOB2, or with `bioes` in BIOES.

    >>> seen = Entities()
    >>> seen.add(["B-place", "I-place", "O", "B-name"], ["B-place", "I-place", "O", "O"])
    >>> seen.figures()["precision"], seen.figures()["recall"]
    (1.0, 0.5)

    Entities of IOB2 are read off as the scorer of CoNLL 2000 does: one that begins with I- is one as well. Those of
    BIOES are read strictly: B- I- … E- or S-, and what is spelled otherwise is none.
    """

    def __init__(self, bioes: bool = False) -> None:
        self.bioes = bioes
        self.truth: list[list[str]] = []
        self.predicted: list[list[str]] = []

    def add(self, truth: Sequence[str], predicted: Sequence[str]) -> None:
        """Take the tags of a sentence."""
        self.truth.append(list(truth))
        self.predicted.append(list(predicted))

    def figures(self) -> dict[str, float]:
        """Return `f1`, `precision` and `recall` over all entities; 0 where there are none."""
        row = self._report()["micro avg"] if self._any() else {}
        figures = (("f1", "f1-score"), ("precision", "precision"), ("recall", "recall"))
        return {ours: float(row.get(theirs, 0.0)) for ours, theirs in figures}

    def rows(self) -> list[ClassRow]:
        """Return a row for each type, in the order of their names."""
        if not self._any():
            return []
        rows = ((name, row) for name, row in self._report().items() if name not in AVERAGES)
        return [
            ClassRow(name, float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
            for name, row in rows
        ]

    def _report(self) -> dict[str, Any]:
        from seqeval.metrics import classification_report
        from seqeval.scheme import IOBES

        report: Any = classification_report
        strictly = {"mode": "strict", "scheme": IOBES} if self.bioes else {}
        return report(self.truth, self.predicted, output_dict=True, zero_division=0, **strictly)

    def _any(self) -> bool:
        """Whether there is an entity; seqeval has no report on none."""
        if not self.truth:
            raise DataError("the sentences to measure", "there are none", "A figure needs at least one", "")
        if self.bioes:
            from seqeval.scheme import IOBES
            from seqeval.scheme import Entities as Spelled

            return any(any(Spelled(side, IOBES).entities) for side in (self.truth, self.predicted))
        return any(tag != "O" for tags in (*self.truth, *self.predicted) for tag in tags)
