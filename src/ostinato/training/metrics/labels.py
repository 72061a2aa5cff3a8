"""Figures of labels, by scikit-learn: one label an item, several an item, or numbers; and a table by class.

All three are filled batch by batch, `add(truth, predicted)`, and then give `figures()`. Of labels only counts are
kept, so a test set of any size fits; of numbers, the numbers.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ostinato._errors import DataError
from ostinato._files import replace_file

NONE_IS: Any = 0.0
"""Precision of what was never called, and recall of what never was."""


class ClassRow(NamedTuple):
    """What is reached on one class."""

    name: str
    precision: float
    """Share of what was called so that is so; 0 where nothing was called so."""
    recall: float
    """Share of what is so that was called so; 0 where nothing is so."""
    f1: float
    """Harmonic mean of both."""
    support: int
    """Items that are so."""


class OneLabel:
    """Counts of one label an item: `counts[i, j]` items are `names[i]` and were called `names[j]`.

    >>> seen = OneLabel(["cat", "dog"])
    >>> seen.add([0, 0, 1], [0, 1, 1])
    >>> round(seen.figures()["accuracy"], 3)
    0.667
    """

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self.counts = np.zeros((len(self.names), len(self.names)), np.int64)

    def add(self, truth, predicted) -> None:
        """Count items by the indices of their classes, (N,) each. Raises DataError for one that is no class."""
        truth, predicted = (self._indices(part) for part in (truth, predicted))
        places = truth * len(self.names) + predicted
        self.counts += np.bincount(places, minlength=self.counts.size).reshape(self.counts.shape)

    def figures(self) -> dict[str, float]:
        """Return `accuracy`, and `macro_f1`: the mean F1 of the classes that occur or were predicted."""
        _refuse_nothing(int(self.counts.sum()))
        from sklearn.metrics import accuracy_score, f1_score

        cells = self._cells()
        macro = f1_score(*cells[:2], sample_weight=cells[2], average="macro", zero_division=NONE_IS)
        return {"accuracy": float(accuracy_score(*cells[:2], sample_weight=cells[2])), "macro_f1": float(macro)}

    def rows(self) -> list[ClassRow]:
        """Return a row for each class, in order."""
        _refuse_nothing(int(self.counts.sum()))
        from sklearn.metrics import precision_recall_fscore_support

        truth, predicted, items = self._cells()
        *scores, _ = precision_recall_fscore_support(
            truth, predicted, labels=np.arange(len(self.names)), sample_weight=items, zero_division=NONE_IS
        )
        columns = zip(self.names, *np.array(scores).tolist(), self.counts.sum(1).tolist(), strict=True)
        return [ClassRow(*row) for row in columns]

    def _cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return truth, prediction and how often, for the pairs that occur: to scikit-learn they are weighed items."""
        truth, predicted = np.nonzero(self.counts)
        return truth, predicted, self.counts[truth, predicted]

    def _indices(self, values) -> np.ndarray:
        indices = np.asarray(values, np.int64).reshape(-1)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self.names)):
            wrong = next(index for index in indices.tolist() if not 0 <= index < len(self.names))
            raise DataError("labels", f"class {wrong}", f"There are the classes 0 to {len(self.names) - 1}")
        return indices


class SeveralLabels:
    """Counts of items that have any number of labels: `counts[k]` is [[neither, called], [is, both]] of label k."""

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self.counts = np.zeros((len(self.names), 2, 2), np.int64)
        self.items = self.whole = 0

    def add(self, truth, predicted) -> None:
        """Count items by which labels they have, (N, C) of 0 and 1 each."""
        truth, predicted = (np.asarray(part).astype(bool).reshape(-1, len(self.names)) for part in (truth, predicted))
        for first in (False, True):
            for second in (False, True):
                self.counts[:, int(first), int(second)] += ((truth == first) & (predicted == second)).sum(0)
        self.items += len(truth)
        self.whole += int((truth == predicted).all(1).sum())

    def figures(self) -> dict[str, float]:
        """Return `micro_f1` over all labels, `macro_f1`, and `subset_accuracy`: items with each label right."""
        _refuse_nothing(self.items)
        micro = _binary_row("", self.counts.sum(0)).f1
        macro = sum(row.f1 for row in self.rows()) / len(self.names)
        return {"micro_f1": micro, "macro_f1": macro, "subset_accuracy": self.whole / self.items}

    def rows(self) -> list[ClassRow]:
        """Return a row for each label, in order."""
        return [_binary_row(name, counts) for name, counts in zip(self.names, self.counts, strict=True)]


class Numbers:
    """Numbers beside those predicted."""

    def __init__(self) -> None:
        self.truth: list[np.ndarray] = []
        self.predicted: list[np.ndarray] = []

    def add(self, truth, predicted) -> None:
        """Keep numbers, (N,) or (N, D) each."""
        for kept, part in ((self.truth, truth), (self.predicted, predicted)):
            numbers = np.asarray(part, np.float64)
            kept.append(numbers[:, None] if numbers.ndim == 1 else numbers)

    def figures(self) -> dict[str, float]:
        """Return `mae`, `rmse` and `r2`, each the mean over the D numbers of an item; `r2` of one item is NaN.

        Raises DataError for a number that is not finite.
        """
        _refuse_nothing(sum(map(len, self.truth)))
        from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

        pair = np.concatenate(self.truth), np.concatenate(self.predicted)
        for name, numbers in zip(("truth", "prediction"), pair, strict=True):
            if (rows := np.flatnonzero(~np.isfinite(numbers).all(1))).size:
                raise DataError(name, f"item {rows[0] + 1} holds {numbers[rows[0]].tolist()}", "Numbers are finite")
        r2 = float(r2_score(*pair)) if len(pair[0]) > 1 else math.nan
        return {"mae": float(mean_absolute_error(*pair)), "rmse": float(root_mean_squared_error(*pair)), "r2": r2}


HEADINGS = ("class", "precision", "recall", "f1", "support")


def table(rows: Sequence[ClassRow]) -> str:
    """Return the rows as aligned text, in the columns of a terminal."""
    from rich.cells import cell_len

    written = [HEADINGS, *((row.name, *(f"{x:.3f}" for x in row[1:4]), f"{row.support:,}") for row in rows)]
    widths = [max(cell_len(row[column]) for row in written) for column in range(len(HEADINGS))]
    lines = []
    for name, *numbers in written:
        padded = name + " " * (widths[0] - cell_len(name))
        lines.append("  ".join([padded, *(n.rjust(width) for n, width in zip(numbers, widths[1:], strict=True))]))
    return "\n".join(lines)


def write_table(path: Path, rows: Sequence[ClassRow]) -> None:
    """Replace the file by the rows as CSV, with every digit."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode("utf-8"))


def _binary_row(name: str, counts: np.ndarray) -> ClassRow:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        [0, 0, 1, 1], [0, 1, 0, 1], sample_weight=counts.reshape(-1), average="binary", zero_division=NONE_IS
    )
    return ClassRow(name, float(precision), float(recall), float(f1), int(counts[1].sum()))


def _refuse_nothing(items: int) -> None:
    if items == 0:
        raise DataError("the items to measure", "there are none", "A figure needs at least one", "Check the file")
