"""`Tagger`: a tag for each step of a sequence, of words or of numeric frames.

Words and their characters, any cell in one direction or two, and either a softmax for each step or a chain over all of
them (Huang, Xu and Yu, 2015, arXiv:1508.01991; Lample et al., 2016, arXiv:1603.01360).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.layers.crf import CRF, Allowed
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import dropped
from ostinato.layers.words import Words
from ostinato.models.tagged import UNSEEN, Tagged, Tags, losses_alone, tags_alone, there


class Tagger(nn.Module):
    """Read words or frames, run any cell over them, and score the tags of each step.

    >>> from ostinato.models.tagged import TaggedFrames
    >>> model = Tagger(3, 5, "gru", hidden_size=8, bidirectional=True)
    >>> frames = TaggedFrames(torch.zeros(4, 2, 5), torch.zeros(4, 2, dtype=torch.int64), torch.tensor([4, 1]))
    >>> model(frames)[0].shape, model.tag(frames).tags.shape
    (torch.Size([4, 2, 3]), torch.Size([4, 2]))

    tags       how many there are.
    reads      `Words`, or the width D of frames.
    crf        judge whole sequences of tags, of which those that `allowed` forbids are none.
    dropout    of words, between layers and before the scores, while learning; with `variational` alike at all steps.
    alone      a module (…, E) → (…, F) with `output_size` that reads each step by itself, in place of the recurrence.
    values     further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        tags: int,
        reads: Words | int,
        cell: Any = "lstm",
        *,
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        crf: bool = False,
        allowed: Allowed | None = None,
        alone: Any = None,
        **values: Any,
    ):
        super().__init__()
        if tags < 1:
            raise ConfigError("tags", f"{tags} was given", "There is at least one tag")
        self.words = reads if isinstance(reads, Words) else None
        width = reads.output_size if isinstance(reads, Words) else reads
        self.dropout, self.variational = dropout, values.get("variational", False)
        self.is_random = self.words is not None and dropout > 0
        self.alone = None if alone is None else alone(width)
        if alone is None:
            self.recurrent = Recurrent(
                cell, width, hidden_size, num_layers, bidirectional=bidirectional, dropout=dropout, **values
            )
        self.scores = nn.Linear((self.alone or self.recurrent).output_size, tags)
        self.chain = CRF(tags, allowed) if crf else None

    def forward(self, batch: Tagged, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, K) of the tags at each step, and the state."""
        read = self.inputs(batch)
        if self.alone is not None:
            return self.scores(self._dropped(self.alone(read))), None
        outputs, state = self.recurrent(read, state, lengths=batch.lengths)
        # what was read backwards begins anew in each batch
        return self.scores(self._dropped(outputs)), None if self.recurrent.bidirectional else state

    def inputs(self, batch: Tagged) -> Tensor:
        """Return what the first layer reads, (T, B, E)."""
        return batch.inputs if self.words is None else self._dropped(self.words(batch))  # type: ignore[arg-type]

    def loss(self, batch: Tagged, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the nats summed over all tags, how many these are, the state after the batch)."""
        scores, state = self(batch, state)
        nats, _ = self.losses(scores, batch)
        return nats.sum(), self.count(batch), state

    def losses(self, scores: Tensor, batch: Tagged) -> tuple[Tensor, Tensor]:
        """Return the nats of each row (B,), and of how many tags (B,).

        A tag that was not learned from is not counted; with a chain, neither is the row that has it.
        """
        if self.chain is None:
            return losses_alone(scores.float(), batch)
        steps = there(batch)
        seen = ~(steps & (batch.targets == UNSEEN)).any(0)
        nats = -self.chain(scores.float(), torch.where(seen, batch.targets, 0), batch.lengths)
        return torch.where(seen, nats, 0), torch.where(seen, steps.sum(0), 0)

    def count(self, batch: Tagged) -> int:
        """Return how many tags the loss of the batch sums."""
        steps, seen = there(batch), batch.targets != UNSEEN
        if self.chain is None:
            return int((steps & seen).sum())
        return int(steps[:, (seen | ~steps).all(0)].sum())

    def advance(self, batch: Tagged, state: State = None) -> State:
        """Return the state after the batch, without scores."""
        if self.alone is not None:
            return None
        _, state = self.recurrent(self.inputs(batch), state, lengths=batch.lengths)
        return None if self.recurrent.bidirectional else state

    @torch.no_grad()
    def tag(self, batch: Tagged, scores: Tensor | None = None) -> Tags:
        """Return the tags of each step: the best sequence of a chain, otherwise the best of each step.

        `scores` are those of the batch, where they are known already.
        """
        known: Tensor = (self(batch)[0] if scores is None else scores).float()
        if self.chain is None:
            return tags_alone(known)
        tags, _ = self.chain.best(known, batch.lengths)
        marginals = self.chain.marginals(known, batch.lengths)
        return Tags(tags, marginals.gather(-1, tags[..., None])[..., 0])

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, None where none is carried on."""
        carried = self.alone is None and not self.recurrent.bidirectional
        return self.recurrent.initial_state(batch_size) if carried else None

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return ["none (each step is read by itself)"] if self.alone is not None else self.recurrent.plans()

    def _dropped(self, values: Tensor) -> Tensor:
        return dropped(values, self.dropout, self.variational) if self.training and self.dropout else values
