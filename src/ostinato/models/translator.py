"""`Translator`: a sequence into another of its own length (Cho et al., 2014; Sutskever, Vinyals and Le, 2014)."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.cells.cell import State
from ostinato.models.decoder import Decoder, Given, Stepper, Writing
from ostinato.models.encoder import Encoder

NOTHING = -1
"""Stands behind the end of what is to be written."""


class Pairs(NamedTuple):
    """Sequences side by side, and what each is to become."""

    inputs: Tensor
    """Symbols of the source (S, B), int64."""
    lengths: Tensor
    """(B,)."""
    read: Tensor
    """What the decoder reads (T, B): the boundary, then the right symbols."""
    right: Tensor
    """What it is to write (T, B): the right symbols, then the boundary, then NOTHING."""
    copies: Tensor | None = None
    """Number that each symbol of the source has among the symbols written (S, B), for a decoder that copies."""


class Translator(nn.Module):
    """Read a sequence with an `Encoder`, write another with a `Decoder`.

    >>> import torch
    >>> encoder = Encoder("gru", vocabulary_size=20, hidden_size=8)
    >>> decoder = Decoder(30, "gru", context_size=16, memory_size=16, hidden_size=8, attention="additive")
    >>> model = Translator(encoder, decoder)
    >>> step, state = model.stepper(torch.zeros(5, 2, dtype=torch.int64), torch.tensor([5, 3]))
    >>> step(torch.zeros(2, dtype=torch.int64), state)[0].shape
    torch.Size([2, 30])

    smoothing  share of the probability that the loss wants spread over all symbols (Szegedy et al., 2016).
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, *, smoothing: float = 0.0):
        super().__init__()
        self.encoder, self.decoder, self.smoothing = encoder, decoder, smoothing

    def given(self, inputs: Tensor, lengths: Tensor, copies: Tensor | None = None) -> Given:
        """Return what the decoder writes from: symbols (S, B), read."""
        context, memory = self.encoder(inputs, lengths)
        return self.decoder.given(context, memory._replace(copies=None if copies is None else copies.T))

    def stepper(self, inputs: Tensor, lengths: Tensor, copies: Tensor | None = None) -> tuple[Stepper, Writing]:
        """Return a step for `ostinato.decoding`, and the state before the first."""
        return self.decoder.stepper(self.given(inputs, lengths, copies))

    def forward(self, batch: Pairs, where: Tensor | None = None) -> Tensor:
        """Return the scores (T, B, V) of the symbol after each of those read; (N, V) where a mask (T, B) is true."""
        steps = self.decoder.read(batch.read, self.given(batch.inputs, batch.lengths, batch.copies))
        return self.decoder.score(steps if where is None else steps.at(where))

    def loss(self, batch: Pairs, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the nats summed over all symbols written, how many these are, None)."""
        nats = self.losses(batch, self.smoothing if self.training else 0.0)
        return nats.sum(), self.count(batch), None

    def losses(self, batch: Pairs, smoothing: float = 0.0) -> Tensor:
        """Return the nats (N,) of each symbol written, row by row of `right` where it is one."""
        there = batch.right != NOTHING
        scores = self(batch, there)  # by its forward, which runs in the precision of the run
        return F.cross_entropy(scores.float(), batch.right[there], reduction="none", label_smoothing=smoothing)

    def count(self, batch: Pairs) -> int:
        """Return how many symbols the loss of the batch sums."""
        return int((batch.right != NOTHING).sum())

    def inputs(self, batch: Pairs) -> Tensor:
        """Return what the first layer reads, (S, B, E)."""
        return self.encoder.read(batch.inputs)

    def advance(self, batch: Pairs, state: State = None) -> State:
        """Return None: nothing is carried from a batch to the next."""
        return None

    def initial_state(self, batch_size: int) -> State:
        """Return None, as `advance`."""
        return None

    def plans(self) -> list[str]:
        """Return, for each layer of both, the engine that runs it and why."""
        return [*self.encoder.recurrent.plans(), *self.decoder.plans()]

    @property
    def recurrent(self) -> Any:
        """The layers that read."""
        return self.encoder.recurrent
