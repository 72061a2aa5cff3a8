"""Lets a model read what it writes, step by step: all of it, or each symbol by the toss of a coin.

    for t in range(T):
        read = where(coin[t] < chance, right[t], draw)
        scores, state = model.read(read, state)
        draw = multinomial(softmax(scores))

The model is anything that can replace symbols in what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

State = Any


class Feeds(Protocol):
    """A model that reads what it wrote."""

    training: bool

    def right(self, segment: Any, /) -> tuple[Tensor, Tensor | None]:
        """Return the symbols read (T, B), and bool (T, B) where they may be the model's own; None is everywhere."""
        ...

    def fed(self, segment: Any, symbols: Tensor, /) -> Any:
        """Return the segment that reads `symbols` (T, B) where it reads its own or right ones."""
        ...

    def read(self, segment: Any, state: State, /) -> tuple[Tensor, State]:
        """Return the scores (T, B, V) of the symbol after each step, and the state."""
        ...


@torch.no_grad()
def feed(
    model: Feeds, segment: Any, state: State, draw: Tensor | None, chance: float, greedy: bool = False
) -> tuple[Any, Tensor]:
    """Return the segment as it was read, and the model's draw (T, B) after each step.

    `draw` is the one after the step before the segment; without it, the first symbol is the right one. Coins and draws
    come from torch's own generator; `greedy` takes the best symbol instead of a draw. Nothing is dropped meanwhile.
    """
    right, free = model.right(segment)
    own = torch.rand(right.shape, device=right.device) >= chance
    if free is not None:
        own &= free
    read, draws = right.clone(), []
    with _evaluating(model):
        for t in range(len(right)):
            if draw is not None:
                read[t] = torch.where(own[t], draw, right[t])
            scores, state = model.read(model.fed(_step(segment, t), read[t : t + 1]), state)
            draw = scores[0].argmax(-1) if greedy else scores[0].float().softmax(-1).multinomial(1)[:, 0]
            draws.append(draw)
    return model.fed(segment, read), torch.stack(draws)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _step(segment: Any, t: int) -> Any:
    """Return step `t` of a segment, a named tuple whose tensors have steps as their first dimension."""
    return type(segment)(*(None if part is None else part[t : t + 1] for part in segment))
