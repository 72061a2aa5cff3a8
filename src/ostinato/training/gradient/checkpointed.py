"""The full gradient in bounded memory: what a piece of the lane computed is forgotten, and computed again going back.

Chen et al. (2016, arXiv:1604.06174) keep a state every √T steps. With less memory still, pieces are cut into pieces
(Gruslys et al., 2016, arXiv:1606.03401, weigh the same exchange of memory for arithmetic).
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ostinato._errors import ConfigError
from ostinato.training.config import above_zero
from ostinato.training.gradient.method import Backward, Learns, State, Window, cut, detach, leaves_of, map_state, whole

PROBED = 32
"""So many steps are run once to see what a step keeps."""


@dataclass(frozen=True)
class Cost:
    """What a model keeps for the backward pass, in bytes."""

    step: float
    state: int


@dataclass(frozen=True)
class Pieces:
    """How a lane is cut: `depth` times into `branches` parts, down to `length` steps that are run at once."""

    length: int
    branches: int
    depth: int

    @property
    def forward_passes(self) -> int:
        """How often a step is computed before its gradient is known; 1 is plain back-propagation."""
        return 1 + self.depth


@dataclass
class Checkpointed:
    """Back-propagation through the whole lane, at most `memory` bytes kept for it; None keeps a state every √T steps.

    The gradient is the one of `Full`, and to the bit the one of `Full` run in the same pieces. Each step is computed
    once more on the way back; twice or more where memory is too short for states every √T steps.
    """

    memory: int | None = None
    pieces: dict[int, Pieces] = field(default_factory=dict, repr=False)
    """Lane length -> how it is cut; settled at the first update."""

    def __post_init__(self):
        above_zero("memory_budget", self.memory)

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
        if window.length not in self.pieces:
            self.pieces[window.length] = fit(window.length, cost_of(model, segment, state), self.memory)
        walk = _Walk(model, segment, self.pieces[window.length])
        nats, state = walk.run(0, window.length, state, walk.pieces.depth)
        if walk.count:
            backward(nats * (1 / walk.count))
        return nats.detach(), walk.count, detach(state)


class _Walk:
    """One forward pass over a lane in pieces."""

    def __init__(self, model: Learns, segment: Any, pieces: Pieces):
        self.model, self.segment, self.pieces = model, segment, pieces
        self.counts: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many symbols were summed."""
        return sum(self.counts.values())

    def run(self, first: int, last: int, state: State, depth: int) -> tuple[Tensor, State]:
        """Return the summed loss of steps [first, last) and the state after them."""
        if depth == 0:
            nats, self.counts[first], state = self.model.loss(cut(self.segment, first, last), state)
            return nats, state
        length, losses = self._length(last - first, depth), []
        for start in range(first, last, length):
            end = min(start + length, last)
            nats, state = checkpoint(self.run, start, end, state, depth - 1, use_reentrant=False)  # type: ignore[misc]
            losses.append(nats)
        return torch.stack(losses).sum(), state

    def _length(self, steps: int, depth: int) -> int:
        if depth == 1:
            return self.pieces.length
        return self.pieces.length * self.pieces.branches ** (depth - 1)


def fit(steps: int, cost: Cost, memory: int | None) -> Pieces:
    """Return how to cut a lane so that what is kept fits into `memory` bytes; without a budget, √T pieces of √T steps.

    Steps are computed again as seldom as possible, and then the pieces are as few as possible.

    Raises ConfigError where no cut fits.
    """
    if memory is None:
        length = math.isqrt(max(0, steps - 1)) + 1
        return Pieces(length, math.ceil(steps / length), 1)
    if steps * cost.step <= memory:
        return Pieces(steps, 1, 0)
    least = math.inf
    for depth in range(1, max(2, math.ceil(math.log2(max(2, steps))))):
        lengths = range(_best_length(steps, cost, depth), steps + 1)
        least = min(least, _needed(steps, cost, depth, lengths[0]))
        # the smaller a piece beyond the best length, the less is kept
        fitting = bisect.bisect_right(lengths, memory, key=functools.partial(_needed, steps, cost, depth))
        if fitting:
            length = lengths[fitting - 1]
            return Pieces(length, _branches(steps, length, depth), depth)
    raise ConfigError(
        "--memory-budget",
        f"{memory:,} bytes for {steps:,} steps",
        f"A step keeps {cost.step:,.0f} bytes and a state has {cost.state:,}: {math.ceil(least):,} bytes are the least",
        "Give more, or a smaller batch size or model",
    )


def _needed(steps: int, cost: Cost, depth: int, length: int) -> float:
    """Return how many bytes are kept at most."""
    return depth * (steps / length) ** (1 / depth) * cost.state + depth * cost.state + length * cost.step


def _branches(steps: int, length: int, depth: int) -> int:
    """Return into how many parts a lane is cut, and each part again."""
    branches = max(2, math.ceil((steps / length) ** (1 / depth)))
    return branches if length * branches**depth >= steps else branches + 1


def _best_length(steps: int, cost: Cost, depth: int) -> int:
    """Return how many steps a piece has where states and the steps of one piece together are fewest bytes."""
    # the least of depth * (T / L)^(1/depth) * state + L * step, over L
    ratio = cost.state / cost.step
    return min(steps, max(1, math.ceil((ratio * steps ** (1 / depth)) ** (depth / (depth + 1)))))


def cost_of(model: Learns, segment: Any, state: State) -> Cost:
    """Return what a step and a state keep, measured on the first steps of a segment."""
    steps = segment.inputs.shape[0]
    few = min(PROBED, steps)
    generator = torch.get_rng_state()
    kept = [_kept(model, cut(segment, 0, n), state) for n in sorted({max(1, few // 2), few})]
    after = model.advance(cut(segment, 0, 1), state)
    torch.set_rng_state(generator)
    size = sum(leaf.numel() * leaf.element_size() for leaf in leaves_of(after))
    step = (kept[-1] - kept[0]) / (few - max(1, few // 2)) if len(kept) > 1 else kept[0]
    return Cost(max(1.0, step), max(1, size))


def _kept(model: Learns, segment: Any, state: State) -> int:
    """Return how many bytes the graph of a segment's loss holds, parameters aside."""
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}  # type: ignore[attr-defined]
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    start = map_state(lambda leaf: leaf.detach().requires_grad_(leaf.is_floating_point()), state)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model.loss(segment, start)[0]
    del loss
    return sum(seen.values())
