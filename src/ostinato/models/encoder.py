"""`Encoder`: a sequence of symbols or of frames, read into outputs to look at and one vector for all of it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.layers.attention import Memory
from ostinato.layers.pooling import Pooling
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import check_share, check_size, dropped


class Encoder(nn.Module):
    """Embed each symbol (or read frames as they are), and run any cell over them.

    >>> import torch
    >>> encoder = Encoder("gru", vocabulary_size=20, embedding_size=4, hidden_size=8)
    >>> context, memory = encoder(torch.zeros(5, 2, dtype=torch.int64), torch.tensor([5, 3]))
    >>> context.shape, memory.values.shape
    (torch.Size([2, 16]), torch.Size([2, 5, 16]))

    vocabulary_size    of symbols; or else `input_size`, the width D of frames.
    dropout            of symbols, between layers and of what is given, while learning.
    pooling            how the vector is made of all outputs: "last", "mean", "max" or "attention".
    values             further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        cell: Any = "lstm",
        *,
        vocabulary_size: int | None = None,
        input_size: int | None = None,
        embedding_size: int = 256,
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        pooling: str = "last",
        **values: Any,
    ):
        super().__init__()
        if (vocabulary_size is None) == (input_size is None):
            got = f"vocabulary_size={vocabulary_size}, input_size={input_size}"
            raise ConfigError("Encoder", got, "It reads symbols or frames")
        check_share("dropout", dropout)
        check_size("embedding_size", embedding_size)
        self.embedding = None if vocabulary_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.dropout, self.variational = dropout, values.get("variational", False)
        self.recurrent = Recurrent(
            cell, input_size or embedding_size, hidden_size, num_layers,
            bidirectional=bidirectional, dropout=dropout, **values,
        )  # fmt: skip
        self.output_size = self.recurrent.output_size
        self.pooling = Pooling(pooling, self.output_size, bidirectional)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Memory]:
        """Return the vector (B, E) and the outputs of symbols (S, B) or frames (S, B, D)."""
        outputs, _ = self.recurrent(self.read(inputs), lengths=lengths)
        context, _ = self.pooling(outputs, lengths)
        return context, Memory(self._dropped(outputs).transpose(0, 1), lengths)

    def read(self, inputs: Tensor) -> Tensor:
        """Return what the first layer reads, (S, B, D)."""
        return self._dropped(inputs if self.embedding is None else self.embedding(inputs))

    def _dropped(self, values: Tensor) -> Tensor:
        return dropped(values, self.dropout, self.variational) if self.training and self.dropout else values
