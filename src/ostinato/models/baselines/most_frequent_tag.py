"""`MostFrequentTag`: each word has the tag it most often had, an unknown one the most frequent tag of all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.cells.cell import State
from ostinato.models.tagged import UNSEEN, Tagged, Tags, losses_alone, tags_alone, there


class MostFrequentTag(nn.Module):
    """Counts of tags by word; frames, which have no words, are all one unknown word.

    >>> model = MostFrequentTag(tags=2, words=1)
    >>> model.add(torch.tensor([1, 1, 1]), torch.tensor([0, 1, 1]))
    >>> model.counts.tolist()  # of unknown words: all that were counted; of word 1
    [[1.0, 2.0], [1.0, 2.0]]

    Its scores are log-probabilities, each count one larger than it is, so that they are finite.
    """

    def __init__(self, tags: int, words: int = 0):
        super().__init__()
        self.counts: Tensor
        self.register_buffer("counts", torch.zeros(words + 1, tags))

    def add(self, words: Tensor, tags: Tensor) -> None:
        """Count tags (N,) of words (N,) by their numbers; word 0 is an unknown one."""
        ones = torch.ones(len(tags))
        self.counts.index_put_((words, tags), ones * (words > 0), accumulate=True)
        self.counts[0].index_put_((tags,), ones, accumulate=True)

    def add_batch(self, batch: Tagged) -> None:
        """Count a batch."""
        known = there(batch) & (batch.targets != UNSEEN)
        self.add(self._words(batch)[known], batch.targets[known])

    def forward(self, batch: Tagged, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, K) of the tags at each step, and no state."""
        met = self.counts.sum(-1, keepdim=True) > 0
        counts = torch.where(met, self.counts, self.counts[:1]) + 1
        return torch.log(counts / counts.sum(-1, keepdim=True))[self._words(batch)], None

    def losses(self, scores: Tensor, batch: Tagged) -> tuple[Tensor, Tensor]:
        """Return the nats of each row (B,), and of how many tags (B,)."""
        return losses_alone(scores, batch)

    def tag(self, batch: Tagged, scores: Tensor | None = None) -> Tags:
        """Return the tags of each step."""
        return tags_alone(self(batch)[0] if scores is None else scores)

    def _words(self, batch: Tagged) -> Tensor:
        if batch.inputs.dim() == 3:
            return torch.zeros_like(batch.targets)
        return batch.inputs
