"""`WindowModel`: the language model that sees a window of words at once (Bengio, Ducharme, Vincent and Janvin, 2003).

    y = b + U tanh(d + H x)                                           (equation 1, without direct connections W)

x is the embeddings of the last `window` symbols beside each other, and softmax(y) scores the next one. In the place of
a symbol before the document stands a vector that is learned too.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.layers.stack import check_share
from ostinato.models.baselines.contexts import contexts
from ostinato.models.language_model import Segment, tie


class WindowModel(nn.Module):
    """Scores of the next symbol from the last `window`, within a document.

    The state is those symbols, (B, window), and V where there is none.

    hidden_size   units of each hidden layer, `num_layers` of them.
    dropout       while learning, after each hidden layer.
    values        `embedding_size`, `embedding_dropout` and `tied` are those of `LanguageModel`.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        window: int = 4,
        *,
        embedding_size: int | None = None,
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        tied: bool = False,
    ):
        super().__init__()
        if embedding_size is None:
            embedding_size = hidden_size if tied else min(64, vocabulary_size)
        sizes = {"vocabulary_size": vocabulary_size, "window": window, "embedding_size": embedding_size}
        for name, size in {**sizes, "hidden_size": hidden_size, "num_layers": num_layers}.items():
            if size < 1:
                raise ConfigError(name, f"{size} was given", "A size is at least 1")
        for name, share in (("dropout", dropout), ("embedding_dropout", embedding_dropout)):
            check_share(name, share)
        self.vocabulary_size, self.window = vocabulary_size, window
        self.dropout, self.embedding_dropout = nn.Dropout(dropout), nn.Dropout(embedding_dropout)
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.before = nn.Parameter(torch.zeros(embedding_size))
        widths = [window * embedding_size, *[hidden_size] * num_layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.scores = nn.Linear(hidden_size, vocabulary_size)
        if tied:
            tie(self.scores, self.embedding)

    def forward(
        self, tokens: Tensor, state: Tensor | None = None, *, reset: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the scores (T, B, V) of the symbol after each of `tokens` (T, B), and the state after the last.

        `reset` (T, B) marks steps that start a document: nothing before them is seen.
        """
        seen, state = contexts(tokens, state, reset, self.window, self.vocabulary_size)
        there = (seen < self.vocabulary_size)[..., None]
        embedded = torch.where(there, self.embedding(seen.clamp(max=self.vocabulary_size - 1)), self.before)
        read = self.embedding_dropout(embedded).flatten(-2)
        for layer in self.hidden:
            read = self.dropout(torch.tanh(layer(read)))
        return self.scores(read), state

    def loss(self, segment: Segment, state: Tensor | None = None) -> tuple[Tensor, int, Tensor]:
        """Return (the sum of nats over the segment, how many symbols were predicted, the state after it)."""
        scores, after = self(segment.inputs, state, reset=segment.reset)
        nats = F.cross_entropy(scores.flatten(0, 1).float(), segment.targets.flatten(), reduction="sum")
        return nats, segment.targets.numel(), after

    def count(self, segment: Segment) -> int:
        """Return how many symbols of the segment are predicted."""
        return segment.targets.numel()

    def advance(self, segment: Segment, state: Tensor | None = None) -> Tensor:
        """Return the state after the segment, without scores."""
        return contexts(segment.inputs, state, segment.reset, self.window, self.vocabulary_size)[1]

    def step(self, token: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the scores (B, V) of the symbol after `token` (B,), and the state."""
        scores, after = self(token[None], state)
        return scores[0], after

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state before the first symbol: there was none."""
        device = self.embedding.weight.device
        return torch.full((batch_size, self.window), self.vocabulary_size, device=device)

    def plans(self) -> list[str]:
        """Return that there is nothing to run over time."""
        return ["none (a baseline without recurrence)"]
