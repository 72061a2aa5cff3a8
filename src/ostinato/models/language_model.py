"""`LanguageModel`: the next symbol of a stream, from those before it (Mikolov et al., 2010; Graves, 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.layers.recurrent import Recurrent, layer_sizes
from ostinato.layers.stack import check_share, check_size, dropped


class Segment(Protocol):
    """What a loss needs of a piece of a stream: inputs and targets (T, B), and where documents start."""

    inputs: Tensor
    targets: Tensor
    reset: Tensor | None


class LanguageModel(nn.Module):
    """Embed each symbol, run any cell over them, score the next one.

    embedding_size  None is the smaller of 64 and the number of symbols; with `tied`, the size of the output.
    dropout         between layers and before the scores, while training.
    embedding_dropout  of the numbers of embedded symbols, while training; with `variational` the same at each step.
    tied            the scores use the embeddings (Press and Wolf, 2017, arXiv:1608.05859).
    values          further keywords of `Recurrent` (`zoneout`, `norm`, …) and of the cell.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        cell: str = "lstm",
        *,
        embedding_size: int | None = None,
        hidden_size: int | Sequence[int] = 256,
        num_layers: int = 2,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        tied: bool = False,
        residual: bool = False,
        initial_state: str = "zero",
        engine: str = "auto",
        **values: Any,
    ):
        super().__init__()
        last = layer_sizes(hidden_size, num_layers)[-1]
        size = (last if tied else min(64, vocabulary_size)) if embedding_size is None else embedding_size
        for name, number in (("vocabulary_size", vocabulary_size), ("embedding_size", size)):
            check_size(name, number)
        if values.get("bidirectional"):
            raise ConfigError("bidirectional", "True was given", "A language model reads forward only")
        if "batch_first" in values:
            raise ConfigError("batch_first", "it was given", "Tokens are (T, B): steps, rows")
        check_share("embedding_dropout", embedding_dropout)
        self.embedding = nn.Embedding(vocabulary_size, size)
        self.recurrent = Recurrent(
            cell, size, hidden_size, num_layers, dropout=dropout, residual=residual,
            initial_state=initial_state, engine=engine, **values,
        )  # fmt: skip
        if any(cell.uses_dt for layer in self.recurrent.layers for cell in layer):  # type: ignore[union-attr]
            raise ConfigError(
                "cell", "it uses dt", "Symbols have no time between them", "Leave dt out of the equations"
            )
        self.vocabulary_size, self.dropout, self.embedding_dropout = vocabulary_size, dropout, embedding_dropout
        self.scores = nn.Linear(self.recurrent.output_size, vocabulary_size)
        if tied:
            tie(self.scores, self.embedding)

    def forward(self, tokens: Tensor, state: State = None, *, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, V) of the symbol after each of `tokens` (T, B), and the state after the last.

        `reset` (T, B) marks steps that start a document: the state is the initial one before them.
        """
        if tokens.dim() != 2:
            raise ConfigError("tokens", f"shape {tuple(tokens.shape)}", "Tokens are (T, B): steps, rows")
        outputs, state = self.recurrent(self._read(tokens), state, reset=reset)
        if self.training and self.dropout:
            outputs = dropped(outputs, self.dropout, self.recurrent.variational)
        return self.scores(outputs), state

    def loss(self, segment: Segment, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the sum of nats over the segment, how many symbols were predicted, the state after it)."""
        scores, state = self(segment.inputs, state, reset=segment.reset)
        nats = F.cross_entropy(scores.flatten(0, 1).float(), segment.targets.flatten(), reduction="sum")
        return nats, segment.targets.numel(), state

    def count(self, segment: Segment) -> int:
        """Return how many symbols of the segment are predicted."""
        return segment.targets.numel()

    def inputs(self, segment: Segment) -> Tensor:
        """Return what the first layer reads, (T, B, E)."""
        return self._read(segment.inputs)

    def advance(self, segment: Segment, state: State = None) -> State:
        """Return the state after the segment, without scores."""
        return self.recurrent(self.inputs(segment), state, reset=segment.reset)[1]

    def right(self, segment: Segment) -> tuple[Tensor, Tensor | None]:
        """Return the symbols read (T, B), and where they may be the model's own: within a document."""
        return segment.inputs, None if segment.reset is None else ~segment.reset

    def fed(self, segment: Any, symbols: Tensor) -> Any:
        """Return the segment, a named tuple, that reads `symbols` (T, B)."""
        return segment._replace(inputs=symbols)

    def read(self, segment: Segment, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, V) of the symbol after each step of the segment, and the state."""
        return self(segment.inputs, state, reset=segment.reset)

    def step(self, token: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (B, V) of the symbol after `token` (B,), and the state."""
        scores, state = self(token[None], state)
        return scores[0], state

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first symbol."""
        return self.recurrent.initial_state(batch_size)

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return self.recurrent.plans()

    @property
    def is_random(self) -> bool:
        """Whether what the first layer reads is drawn anew at each call."""
        return self.training and self.embedding_dropout > 0

    def _read(self, tokens: Tensor) -> Tensor:
        embedded = self.embedding(tokens)
        if self.is_random:
            return dropped(embedded, self.embedding_dropout, self.recurrent.variational)
        return embedded


def tie(scores: nn.Linear, embedding: nn.Embedding) -> None:
    """Let the scores use the embeddings. Raises ConfigError where the sizes differ."""
    size = embedding.embedding_dim
    if size != scores.in_features:
        raise ConfigError(
            "tied",
            f"embeddings of {size} and an output of {scores.in_features}",
            "Tied embeddings are as large as the output",
            f"Use embedding_size={scores.in_features}",
        )
    scores.weight = embedding.weight
    nn.init.normal_(embedding.weight, std=size**-0.5)
