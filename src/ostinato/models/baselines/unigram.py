"""How often each symbol occurs, whatever stands before it and whatever is seen: the least that a text model tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Unigram(nn.Module):
    """Shares of symbols, each counted once more than it was met (Laplace).

    Counted with `add_batch`, judged by `losses`, as a model that writes is.
    """

    counts: Tensor

    def __init__(self, vocabulary_size: int):
        super().__init__()
        self.register_buffer("counts", torch.ones(vocabulary_size, dtype=torch.float64))

    def add_batch(self, batch: Any) -> None:
        """Count the symbols of `batch.right` (T, B), of which those below 0 are none."""
        right = batch.right[batch.right >= 0]
        self.counts += torch.bincount(right, minlength=len(self.counts)).to(self.counts)

    def losses(self, batch: Any) -> Tensor:
        """Return the nats (N,) of each symbol of `batch.right`."""
        return -self.log_shares()[batch.right[batch.right >= 0]]

    def count(self, batch: Any) -> int:
        """Return how many symbols there are."""
        return int((batch.right >= 0).sum())

    def log_shares(self) -> Tensor:
        """Return the log of the share of each symbol (V,), float32."""
        return (self.counts / self.counts.sum()).log().float()

    def stepper(self, batch: Any) -> tuple[Callable[[Tensor, Any], tuple[Tensor, Any]], Any]:
        """Return a step for `ostinato.decoding`, which gives the same scores always, and no state."""
        shares = self.log_shares()

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
            return shares.expand(len(tokens), -1), state

        return step, None

    def initial_state(self, batch_size: int) -> None:
        """Return None: nothing is carried."""

    def plans(self) -> list[str]:
        """Return that no engine runs."""
        return ["none (a baseline without recurrence)"]
