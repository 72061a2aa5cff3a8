"""How a gradient is taken over time. Each method is an object; the loop knows only `Method`.

Back-propagation through the whole lane is `Full`. `Truncated` cuts the lane into segments of k1 steps,
carries the state from one to the next, and stops the gradient at the cut
(Williams & Peng, 1990, "BPTT(h; h')": h = k2, h' = k1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.training.config import Training, above_zero

State = Any
Backward = Callable[[Tensor], None]


class Learns(Protocol):
    """What a method asks of a model: the summed loss of a segment, in nats, and the state after it."""

    def loss(self, segment: Any, state: State = None) -> tuple[Tensor, int, State]:
        """Return the loss summed over the segment, how many symbols it sums, and the state after it."""
        ...


class Method(Protocol):
    """A way to take gradients over a lane: where the steps are cut, and what one cut adds to `.grad`."""

    def updates(self, lane_length: int) -> int:
        """How many segments, and so optimizer steps, one reading of the lanes takes."""
        ...

    def segments(self, lane_length: int, epoch: int) -> Iterator[tuple[int, int]]:
        """Yield (position, length) of each segment of one reading, in order."""
        ...

    def accumulate(self, model: Learns, segment: Any, state: State, backward: Backward) -> tuple[Tensor, int, State]:
        """Add the gradient of one segment to `.grad`; return (nats, count, state), cut from the graph."""
        ...


@dataclass(frozen=True)
class Full:
    """Back-propagation through every step of the lane: one update a reading, memory in proportion."""

    def updates(self, lane_length: int) -> int:
        """One."""
        return 1

    def segments(self, lane_length: int, epoch: int) -> Iterator[tuple[int, int]]:
        """Yield the lane, whole."""
        yield 0, lane_length

    def accumulate(self, model: Learns, segment: Any, state: State, backward: Backward) -> tuple[Tensor, int, State]:
        """Add the gradient of the mean loss over the lane."""
        nats, count, state = model.loss(segment, state)
        backward(nats / count)
        return nats.detach(), count, detach(state)


@dataclass(frozen=True)
class Truncated:
    """Back-propagation every `k1` steps over the last `k2`; the state runs on, the gradient does not."""

    k1: int
    k2: int
    seed: int = 0

    def __post_init__(self):
        above_zero("k1", self.k1)
        above_zero("k2", self.k2)
        if self.k1 != self.k2:
            raise ConfigError(
                "--k2",
                f"k1 is {self.k1} and k2 is {self.k2}",
                "Truncation with k2 different from k1 is not built yet",
                "Leave --k2 out",
            )

    def updates(self, lane_length: int) -> int:
        """The lane's length over k1, rounded up."""
        self._check(lane_length)
        return -(-lane_length // self.k1)

    def segments(self, lane_length: int, epoch: int) -> Iterator[tuple[int, int]]:
        """Yield segments of k1 steps; the odd steps left over are shared, by chance, between first and last.

        So the cuts fall elsewhere at each reading, every step is read once, and the count stays the same.
        """
        updates = self.updates(lane_length)
        shortest = lane_length - (updates - 1) * self.k1
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        first = int(torch.randint(shortest, self.k1 + 1, (), generator=generator)) if updates > 1 else lane_length
        position, length = 0, first
        while position < lane_length:
            yield position, length
            position, length = position + length, min(self.k1, lane_length - position - length)

    def accumulate(self, model: Learns, segment: Any, state: State, backward: Backward) -> tuple[Tensor, int, State]:
        """Add the gradient of the loss over what a whole segment counts, so that symbols weigh the same."""
        nats, count, state = model.loss(segment, state)
        steps = segment.inputs.shape[0]
        backward(nats * (steps / (count * self.k1)))
        return nats.detach(), count, detach(state)

    def _check(self, lane_length: int) -> None:
        if self.k1 > lane_length:
            raise ConfigError(
                "--k1",
                f"k1 is {self.k1}, but a lane of this text holds only {lane_length} steps",
                "",
                f"Use --k1 {lane_length} or less, a smaller --batch-size, or a longer text",
            )


def method(training: Training) -> Method:
    """Return the gradient method the settings name."""
    if training.gradient == "full":
        return Full()
    k2 = training.k1 if training.k2 is None else training.k2
    return Truncated(training.k1, k2, training.seed)


def detach(state: State) -> State:
    """Return the state, a nested tuple of tensors, cut from the graph."""
    return map_state(Tensor.detach, state)


def map_state(change: Callable[[Tensor], Tensor], state: State) -> State:
    """Return the nested tuple with `change` done to each tensor; named tuples and None stay what they are."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        return change(state)
    parts = [map_state(change, part) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
