"""Back-propagation through time: through the whole lane, or every k1 steps through the last k2.

`Truncated` is BPTT(h; h') of Williams and Peng (1990, doi:10.1162/neco.1990.2.4.490) with h = k2 and h' = k1: every
step's loss is learned from once, and the states that two windows share are kept, not started anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.training.config import above_zero
from ostinato.training.gradient.method import Backward, Learns, State, Window, cut, detach, whole


@dataclass(frozen=True)
class Full:
    """Back-propagation through every step of the lane: one update a reading, memory in proportion."""

    def updates(self, lane_length: int) -> int:
        """One."""
        return 1

    def period(self, lane_length: int) -> int:
        """All steps."""
        return lane_length

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield the lane, whole."""
        yield whole(lane_length)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return the model's own state."""
        return initial

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the mean loss over the lane."""
        nats, count, state = model.loss(segment, state)
        if count:
            backward(nats * (1 / count))
        return nats.detach(), count, detach(state)


@dataclass(frozen=True)
class Truncated:
    """Back-propagation every `k1` steps over the last `k2`.

    With k2 > k1 a window begins at a state that the window before it kept; the steps that both read are computed again
    with the new weights, so an update costs k2 steps forward and backward and holds k2 steps in memory. With k2 < k1
    the first k1 - k2 steps are read without a gradient and their losses are not learned from.
    """

    k1: int
    k2: int
    seed: int = 0

    def __post_init__(self):
        above_zero("k1", self.k1)
        above_zero("k2", self.k2)

    def updates(self, lane_length: int) -> int:
        """The lane's length over k1, rounded up. ConfigError for a lane shorter than k1."""
        self._check(lane_length)
        return -(-lane_length // self.k1)

    def period(self, lane_length: int) -> int:
        """k1."""
        return self.k1

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield windows that end k1 steps apart; the odd steps left over are shared, by chance, between first and last.

        So the cuts fall elsewhere at each reading, and the count stays the same.
        """
        ends = self._ends(lane_length, epoch)
        begins = [0, *ends[:-1]]
        starts = [min(begin, max(0, end - self.k2)) for begin, end in zip(begins, ends, strict=True)]
        for begin, end, start, following in zip(begins, ends, starts, [*starts[1:], ends[-1]], strict=True):
            reach = min(self.k2, end - start)
            yield Window(start, end - start, min(end - begin, reach), reach, following - start)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return the model's own state."""
        return initial

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the loss over what k1 steps count, so that symbols weigh the same in a short window.

        Nothing is added where no symbol is counted.
        """
        learn_from, reach_from = window.length - window.learned, window.length - window.reach
        places = sorted({0, reach_from, learn_from, window.following, window.length})
        losses, counts, carried = [], 0, state
        for first, last in itertools.pairwise(places):
            piece = cut(segment, first, last)
            if first == reach_from:
                state = detach(state)
            with torch.set_grad_enabled(first >= reach_from):
                if first >= learn_from:
                    nats, count, state = model.loss(piece, state)
                    losses, counts = [*losses, nats], counts + count
                else:
                    state = model.advance(piece, state)
            if last == window.following:
                carried = state
        total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        # of a segment that says which rows end in it, rows are counted and not steps
        share = 1.0 if hasattr(segment, "ended") else window.learned / self.k1
        if counts:
            backward(total * (share / counts))
        return total.detach(), counts, detach(carried)

    def _ends(self, lane_length: int, epoch: int) -> list[int]:
        updates = -(-lane_length // self.k1)  # of sequences that differ in length, one may be shorter than k1
        shortest = lane_length - (updates - 1) * self.k1
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        first = int(torch.randint(shortest, self.k1 + 1, (), generator=generator)) if updates > 1 else lane_length
        return [min(lane_length, first + k * self.k1) for k in range(updates)]

    def _check(self, lane_length: int) -> None:
        if self.k1 > lane_length:
            raise ConfigError(
                "--k1",
                f"k1 is {self.k1}, but a lane holds only {lane_length} steps",
                "",
                f"Use --k1 {lane_length} or less; of a text, a smaller --batch-size or a longer one",
            )
