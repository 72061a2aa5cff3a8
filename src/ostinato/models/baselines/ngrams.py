"""`NgramClassifier`: logistic regression over the runs of symbols in a sequence, wherever they stand in it.

A text is its n-grams, counted (Cavnar and Trenkle, 1994); the weights are solved for, by scikit-learn, and are tensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError, DataError

BORDER = 1
"""What stands before the first symbol and after the last; symbols are counted from 2, and 0 is nothing."""
EMPTY = np.iinfo(np.int64).max
"""The code of a place that holds no n-gram."""
NEVER = -30.0
"""Score of a class that no item has."""


class NgramClassifier(nn.Module):
    """Scores of classes from how often each run of 1 to `order` symbols occurs, borders included.

    >>> model = NgramClassifier(2, vocabulary_size=3, order=2)
    >>> _ = model.fit([[0, 1], [1, 0], [0, 1, 1]], [0, 1, 0])
    >>> model(torch.tensor([[0, 1], [1, 0]]), torch.tensor([2, 2]))[0].argmax(-1)
    tensor([0, 1])

    capacity  n-grams that are kept, the most frequent ones: it alone decides how large the tensors are.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(self, outputs: int, vocabulary_size: int, *, order: int = 4, capacity: int = 65_536):
        super().__init__()
        for name, size in (("outputs", outputs), ("order", order), ("capacity", capacity)):
            if size < 1:
                raise ConfigError(name, f"{size} was given", "A size is at least 1")
        self.base = vocabulary_size + 2
        if self.base**order >= EMPTY:
            most = int(np.log(EMPTY) / np.log(self.base))
            got = f"n-grams of {order} among {vocabulary_size:,} symbols"
            raise ConfigError("order", got, f"At most {most} symbols in a row can be counted here", "Lower the order")
        self.order, self.answer = order, "label"
        self.codes: Tensor
        self.register_buffer("codes", torch.full((capacity,), int(EMPTY)))
        self.weight = nn.Parameter(torch.zeros(capacity, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def fit(
        self, sequences: Sequence[Any], labels: Sequence[int], *, weights: Any = None, strength: float = 1.0
    ) -> dict[str, Any]:
        """Find the weights of least loss, and return how: `ngrams` that occur, `kept`, `iterations`, `converged`.

        weights   weight of each class in the loss, (O,).
        strength  how far the weights may go: scikit-learn's C, over the sum of losses.

        Raises DataError where there is nothing to fit.
        """
        if len(sequences) == 0:
            raise DataError("the items to learn from", "there are none", "A class is learned from at least one")
        codes, rows = self._counted(sequences)
        found, counts = np.unique(codes, return_counts=True)
        kept = np.sort(found[np.argsort(-counts, kind="stable")[: len(self.codes)]])
        with torch.no_grad():
            self.codes[: len(kept)] = torch.from_numpy(kept)
            self.codes[len(kept) :] = int(EMPTY)
            steps = self._solve(kept, codes, rows, np.asarray(labels), weights, strength)
        return {"ngrams": len(found), "kept": len(kept), **steps}

    def forward(self, inputs: Tensor, lengths: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Return the scores (B, O) of sequences of symbols (T, B), and None: there is no state."""
        codes, rows = self._codes(inputs.T, lengths.to(inputs.device))
        places = torch.searchsorted(self.codes, codes).clamp(max=len(self.codes) - 1)
        known = self.codes[places] == codes
        zeros = self.weight.new_zeros(inputs.shape[1], self.weight.shape[1])
        return zeros.index_add(0, rows[known], self.weight[places[known]]) + self.bias, None

    def losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the loss (B,) of each sequence, in nats."""
        return F.cross_entropy(scores, targets, reduction="none")

    def plans(self) -> list[str]:
        """Return that there is nothing to run over time."""
        return ["none (a baseline without recurrence)"]

    def _counted(self, sequences: Sequence[Any]) -> tuple[NDArray, NDArray]:
        """Return the code of each n-gram that occurs, and the number of its sequence."""
        found = []
        for first in range(0, len(sequences), 256):
            part = [torch.as_tensor(np.asarray(one, np.int64)) for one in sequences[first : first + 256]]
            padded = nn.utils.rnn.pad_sequence(part, batch_first=True)
            codes, rows = self._codes(padded, torch.tensor([len(one) for one in part]))
            found.append((codes.numpy(), rows.numpy() + first))
        codes, rows = zip(*found, strict=True)
        return np.concatenate(codes), np.concatenate(rows)

    def _codes(self, symbols: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes (N,) of all n-grams of rows (B, T), and the row of each."""
        steps = torch.arange(symbols.shape[1] + 2, device=symbols.device)
        framed = F.pad(symbols + 2, (1, 1), value=BORDER)
        framed = framed.masked_fill(steps > lengths[:, None], BORDER).masked_fill(steps > lengths[:, None] + 1, 0)
        code, there = torch.zeros_like(framed), torch.ones_like(framed, dtype=torch.bool)
        found = []
        for number in range(min(self.order, framed.shape[1])):
            later = F.pad(framed[:, number:], (0, number))
            code, there = code + later * self.base**number, there & (later > 0)
            # the border alone says nothing
            asked = there & (framed > BORDER) if number == 0 else there
            found.append((code[asked], asked.nonzero()[:, 0]))
        codes, rows = zip(*found, strict=True)
        return torch.cat(codes), torch.cat(rows)

    def _solve(
        self, kept: NDArray, codes: NDArray, rows: NDArray, labels: NDArray, weights: Any, strength: float
    ) -> dict[str, Any]:
        from scipy.sparse import csr_array
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        classes = np.unique(labels)
        self.weight.zero_()
        self.bias.fill_(NEVER)
        if len(classes) == 1:
            self.bias[classes] = 0.0
            return {"iterations": 0, "converged": True}
        columns = np.searchsorted(kept, codes).clip(max=len(kept) - 1)
        known = kept[columns] == codes
        cells = (np.ones(known.sum()), (rows[known], columns[known]))
        balance = None if weights is None else {int(k): float(weights[k]) for k in classes}
        solver = LogisticRegression(C=strength, max_iter=1000, class_weight=balance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is returned
            solver.fit(csr_array(cells, shape=(len(labels), len(kept))), labels)
        slopes, offsets = solver.coef_, np.atleast_1d(solver.intercept_)
        if len(classes) == 2:  # one score stands for both
            slopes, offsets = np.concatenate([0 * slopes, slopes]), np.concatenate([0 * offsets, offsets])
        for k, slope, offset in zip(classes.tolist(), slopes, offsets, strict=True):
            self.weight[: len(kept), k] = torch.from_numpy(slope).to(self.weight)
            self.bias[k] = float(offset)
        return {"iterations": int(solver.n_iter_[0]), "converged": bool(solver.n_iter_[0] < solver.max_iter)}
