"""`Captioner`: what is seen into words, and questions about it into answers (Vinyals et al., 2015, arXiv:1411.4555).

With attention over regions it is that of Xu et al. (2015, arXiv:1502.03044). A question is read by a recurrent
network, and what is seen is looked at in its light (`layers.seen.Questioned`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.cells.cell import State
from ostinato.layers.attention import Memory
from ostinato.layers.seen import Questioned, Seer
from ostinato.models.decoder import Decoder, Given, Writing
from ostinato.models.encoder import Encoder

NOTHING = -1
"""Stands behind the end of what is to be written."""


class Views(NamedTuple):
    """What is seen, side by side, what is asked of it, and what is to be said."""

    inputs: Tensor
    """What the decoder reads (T, B): the boundary, then the right symbols."""
    right: Tensor
    """What it is to write (T, B): the right symbols, then the boundary, then NOTHING."""
    seen: Tensor
    """Images (1, B, 3, S, S) of bytes, regions (R, B, E) or vectors (1, B, D)."""
    asked: Tensor | None = None
    """Symbols of questions (S, B), int64; None where nothing is asked."""
    lengths: Tensor | None = None
    """Those of each question (B,)."""


class Captioner(nn.Module):
    """Look with a `Seer`, read a question with an `Encoder` where there is one, and write with a `Decoder`.

    >>> import torch
    >>> from ostinato.layers.seen import VectorSeer
    >>> model = Captioner(VectorSeer(3, 8), Decoder(30, "gru", context_size=8, hidden_size=8))
    >>> symbols = torch.zeros(5, 2, dtype=torch.int64)
    >>> model(Views(symbols, symbols, torch.zeros(1, 2, 3))).shape
    torch.Size([5, 2, 30])

    question   reads questions; `in_its_light`, which joins them with what is seen, goes with it.
    smoothing  share of the probability that the loss wants spread over all symbols (Szegedy et al., 2016).
    """

    def __init__(
        self,
        seer: Seer,
        decoder: Decoder,
        question: Encoder | None = None,
        in_its_light: Questioned | None = None,
        *,
        smoothing: float = 0.0,
    ):
        super().__init__()
        self.seer, self.decoder, self.question, self.in_its_light = seer, decoder, question, in_its_light
        self.smoothing = smoothing

    def given(self, batch: Views) -> Given:
        """Return what the decoder writes from."""
        sight = self.seer(batch.seen)
        if self.question is not None and self.in_its_light is not None:
            assert batch.asked is not None
            assert batch.lengths is not None
            question, _ = self.question(batch.asked, batch.lengths)
            sight = self.in_its_light(sight, question)
        return self.decoder.given(sight.vector, None if sight.regions is None else Memory(sight.regions))

    def stepper(self, batch: Views) -> tuple[Callable[[Tensor, Writing], tuple[Tensor, Writing]], Writing]:
        """Return a step for `ostinato.decoding`, and the state before the first."""
        return self.decoder.stepper(self.given(batch))

    def forward(self, batch: Views) -> Tensor:
        """Return the scores (T, B, V) of the symbol after each of those read."""
        return self.decoder(batch.inputs, self.given(batch))

    def loss(self, batch: Views, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the nats summed over all symbols written, how many these are, None)."""
        nats = self.losses(batch, self.smoothing if self.training else 0.0)
        return nats.sum(), self.count(batch), None

    def losses(self, batch: Views, smoothing: float = 0.0) -> Tensor:
        """Return the nats (N,) of each symbol written, row by row of `right` where it is one."""
        there = batch.right != NOTHING
        scores = self.decoder.score(self.decoder.read(batch.inputs, self.given(batch)).at(there))
        return F.cross_entropy(scores.float(), batch.right[there], reduction="none", label_smoothing=smoothing)

    def count(self, batch: Views) -> int:
        """Return how many symbols the loss of the batch sums."""
        return int((batch.right != NOTHING).sum())

    def inputs(self, batch: Views) -> Tensor:
        """Return the symbols that the first layer of the decoder reads, (T, B, E)."""
        return self.decoder.embedding(batch.inputs)

    def advance(self, batch: Views, state: State = None) -> State:
        """Return None: nothing is carried from a batch to the next."""
        return None

    def initial_state(self, batch_size: int) -> State:
        """Return None, as `advance`."""
        return None

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        reads = [] if self.question is None else self.question.recurrent.plans()
        return [*reads, *self.decoder.plans()]

    @property
    def recurrent(self) -> Any:
        """The layers that write."""
        return self.decoder.recurrent
