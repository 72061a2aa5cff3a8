"""What taggers learn from: words or frames side by side, with a tag a step; and what is asked of a tag's scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

UNSEEN = -1
"""The number of a tag that was not learned from, and of no tag."""


class TaggedFrames(NamedTuple):
    """Frames of several sequences."""

    inputs: Tensor
    """(T, B, D)."""
    targets: Tensor
    """Numbers of tags (T, B), UNSEEN behind a row's end."""
    lengths: Tensor | None
    """Steps of each row (B,); None is all of them."""

    def steps(self, first: int, last: int) -> TaggedFrames:
        """Return steps [first, last) of all rows."""
        return _steps(self, first, last)


class TaggedWords(NamedTuple):
    """Words of several sentences, as `layers.words.Spelled` says, with their tags."""

    inputs: Tensor
    letters: Tensor
    spans: Tensor
    spelling: Tensor
    targets: Tensor
    lengths: Tensor | None

    def steps(self, first: int, last: int) -> TaggedWords:
        """Return steps [first, last) of all rows."""
        return _steps(self, first, last)


Tagged = TaggedFrames | TaggedWords


class Tags(NamedTuple):
    """What a tagger says of a batch."""

    tags: Tensor
    """(T, B)."""
    confidence: Tensor
    """Its probability of each (T, B)."""


def there(batch: Tagged) -> Tensor:
    """Return bool (T, B): the steps that a row has."""
    if batch.lengths is None:
        return torch.ones_like(batch.targets, dtype=torch.bool)
    steps = torch.arange(batch.inputs.shape[0], device=batch.inputs.device)
    return steps[:, None] < batch.lengths.to(steps.device)


def losses_alone(scores: Tensor, batch: Tagged) -> tuple[Tensor, Tensor]:
    """Return the nats of each row (B,), each tag judged by itself, and how many tags they sum (B,): those seen."""
    known = there(batch) & (batch.targets != UNSEEN)
    targets = torch.where(known, batch.targets, 0)
    nats = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none").unflatten(0, targets.shape)
    return torch.where(known, nats, 0).sum(0), known.sum(0)


def tags_alone(scores: Tensor) -> Tags:
    """Return the most probable tag of each step by itself."""
    confidence, tags = scores.softmax(-1).max(-1)
    return Tags(tags, confidence)


def _steps(batch: Any, first: int, last: int) -> Any:
    cut = {name: part[first:last] for name, part in batch._asdict().items() if name != "lengths"}
    lengths = None if batch.lengths is None else (batch.lengths - first).clamp(0, last - first)
    return type(batch)(**cut, lengths=lengths)
