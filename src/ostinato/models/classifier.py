"""`Classifier`: one answer to a whole sequence, of symbols or of numeric frames: a label, several, or numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.cell import State
from ostinato.layers.pooling import Pooling
from ostinato.layers.recurrent import Recurrent

ANSWERS = ("label", "labels", "numbers")
EMBEDDED = 0.1
"""Size below which the numbers of an embedding begin."""


class Examples(NamedTuple):
    """Sequences side by side, or some steps of them, and the right answers."""

    inputs: Tensor
    """Symbols (T, B), int64; or frames (T, B, D)."""
    lengths: Tensor
    """Steps that are a sequence's own (B,)."""
    targets: Tensor
    """Of a label its number (B,); of several 0 or 1, of numbers themselves, (1, B, O)."""
    ended: Tensor | None = None
    """Bool (B,): whether the sequence ends within these steps; None where all do."""

    def steps(self, first: int, last: int) -> Examples:
        """Return steps [first, last) of all rows. An empty sequence ends in the first of its steps."""
        ended = (self.lengths <= last) & ((self.lengths > first) | (first == 0))
        return Examples(self.inputs[first:last], (self.lengths - first).clamp(0, last - first), self.targets, ended)


class Classifier(nn.Module):
    """Embed each symbol (or read frames as they are), run any cell over them, pool, and answer.

    >>> model = Classifier(3, "gru", vocabulary_size=20, hidden_size=8)
    >>> scores, _ = model(torch.zeros(5, 2, dtype=torch.int64), torch.tensor([5, 2]))
    >>> scores.shape
    torch.Size([2, 3])

    outputs            labels to choose from, or numbers to give.
    vocabulary_size    of symbols; or else `input_size`, the width D of frames.
    answer             "label" (one of `outputs`), "labels" (any of them), "numbers".
    pooling            "last", "mean", "max" or "attention".
    embedding_dropout  share of the numbers of embedded symbols, or of frames, that are set to zero while learning.
    symbol_dropout     share of symbols that are read as `unknown` while learning.
    weights            weight of each label in the loss (O,).
    encoder            makes a module in place of the recurrence: width E → (T, B, E), lengths (B,) → (B, output_size).
    values             further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes and names that do not fit.
    """

    def __init__(
        self,
        outputs: int,
        cell: Any = "lstm",
        *,
        vocabulary_size: int | None = None,
        input_size: int | None = None,
        embedding_size: int | None = None,
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        answer: str = "label",
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        symbol_dropout: float = 0.0,
        unknown: int | None = None,
        weights: Tensor | None = None,
        encoder: Any = None,
        **values: Any,
    ):
        super().__init__()
        _check(outputs, vocabulary_size, input_size, answer, unknown, symbol_dropout)
        for name, share in (("dropout", dropout), ("embedding_dropout", embedding_dropout)):
            if not 0 <= share < 1:
                raise ConfigError(name, f"{share} was given", "It is a share, from 0 to less than 1")
        if embedding_size is not None and embedding_size < 1:
            raise ConfigError("embedding_size", f"{embedding_size} was given", "A size is a whole number, at least 1")
        self.answer, self.unknown, self.symbol_dropout = answer, unknown, symbol_dropout
        self.dropout, self.embedding_dropout = nn.Dropout(dropout), nn.Dropout(embedding_dropout)
        width = input_size or 0
        if vocabulary_size is not None:
            width = min(100, vocabulary_size) if embedding_size is None else embedding_size
            self.embedding = nn.Embedding(vocabulary_size, width)
            # small: what is not learned of a rare symbol should not speak louder than what is
            nn.init.uniform_(self.embedding.weight, -EMBEDDED, EMBEDDED)
        if encoder is None:
            self.recurrent = Recurrent(
                cell, width, hidden_size, num_layers, bidirectional=bidirectional, dropout=dropout, **values
            )
            self.pooling = Pooling(pooling, self.recurrent.output_size, bidirectional)
        self.encoder = encoder(width) if encoder is not None else None
        self.scores = nn.Linear((self.encoder or self.recurrent).output_size, outputs)
        self.register_buffer("weights", weights)

    def forward(self, inputs: Tensor, lengths: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (B, O) after symbols (T, B) or frames (T, B, D), and the state.

        The state is that of the recurrence and of the pooling: with it, a sequence can be read in pieces.
        """
        read = self.read(inputs)
        if self.encoder is not None:
            return self.scores(self.dropout(self.encoder(read, lengths))), None
        before, pooled = (None, None) if state is None else state
        outputs, after = self.recurrent(read, before, lengths=lengths)
        features, pooled = self.pooling(outputs, lengths, pooled)
        return self.scores(self.dropout(features)), (after, pooled)

    def read(self, inputs: Tensor) -> Tensor:
        """Return what the first layer reads, (T, B, E)."""
        if not hasattr(self, "embedding"):
            return self.embedding_dropout(inputs)
        if self.training and self.symbol_dropout:
            dropped = torch.rand(inputs.shape, device=inputs.device) < self.symbol_dropout
            inputs = inputs.masked_fill(dropped, self.unknown)  # type: ignore[arg-type]
        return self.embedding_dropout(self.embedding(inputs))

    def loss(self, examples: Examples, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the loss summed over the sequences that end here, how many these are, the state).

        Nats of a label; nats of all labels of a sequence; the mean squared error of its numbers.
        """
        scores, state = self(examples.inputs, examples.lengths, state)
        each = self.losses(scores.float(), examples.targets, self.weights)
        if examples.ended is not None:
            each = each[examples.ended]
        return each.sum(), self.count(examples), state

    def losses(self, scores: Tensor, targets: Tensor, weights: Any = None) -> Tensor:
        """Return the loss (B,) of each sequence, with `weights` (O,) of the labels where they are given."""
        if self.answer == "label":
            return F.cross_entropy(scores, targets, weights, reduction="none")
        if self.answer == "labels":
            return F.binary_cross_entropy_with_logits(scores, targets[0], weights, reduction="none").sum(-1)
        return (scores - targets[0]).square().mean(-1)

    def count(self, examples: Examples) -> int:
        """Return how many sequences end within the examples' steps."""
        return examples.lengths.shape[0] if examples.ended is None else int(examples.ended.sum())

    def inputs(self, examples: Examples) -> Tensor:
        """Return what the first layer reads, (T, B, E)."""
        return self.read(examples.inputs)

    def advance(self, examples: Examples, state: State = None) -> State:
        """Return the state after the steps."""
        return self(examples.inputs, examples.lengths, state)[1]

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step; None of a baseline, which has none."""
        if self.encoder is not None:
            return None
        return self.recurrent.initial_state(batch_size), self.pooling.begin(
            self.scores.weight.new_zeros(batch_size, self.recurrent.output_size)
        )

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return ["none (a baseline without recurrence)"] if self.encoder is not None else self.recurrent.plans()


def _check(
    outputs: int, symbols: int | None, width: int | None, answer: str, unknown: int | None, dropped: float
) -> None:
    if (symbols is None) == (width is None):
        raise ConfigError("Classifier", f"vocabulary_size={symbols}, input_size={width}", "It reads symbols or frames")
    for name, number in (("outputs", outputs), ("vocabulary_size", symbols), ("input_size", width)):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ConfigError(name, f"{number} was given", "A size is a whole number, at least 1")
    if answer not in ANSWERS:
        raise ConfigError("answer", f"'{answer}'", f"Possible: {', '.join(ANSWERS)}", did_you_mean(answer, ANSWERS))
    if not 0 <= dropped < 1 or (dropped and unknown is None):
        raise ConfigError(
            "symbol_dropout", f"{dropped}, unknown={unknown}", "A share from 0 to 1, with an unknown symbol"
        )
