"""What a gradient method is: where it cuts a lane, and what one cut adds to `.grad`. The loop knows only this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

State = Any
Backward = Callable[[Tensor], None]


@dataclass(frozen=True)
class Window:
    """The steps of a lane that one update reads, and what becomes of them."""

    position: int
    """Its first step in the lane."""
    length: int
    learned: int
    """How many steps, the last ones, bring their loss."""
    reach: int
    """How many steps, the last ones, the gradient goes back through."""
    following: int
    """After how many steps the next window begins: the state there is carried on."""
    reading: int = 0
    """Of methods that draw at each step: how many times the lane was read before, so that each reading draws anew."""


class Learns(Protocol):
    """What a method asks of a model: the summed loss of a segment, in nats, and the state after it."""

    def loss(self, segment: Any, state: State = None) -> tuple[Tensor, int, State]:
        """Return the loss summed over the segment, how many symbols it sums, and the state after it."""
        ...

    def advance(self, segment: Any, state: State = None) -> State:
        """Return the state after the segment, without a loss."""
        ...

    def count(self, segment: Any) -> int:
        """Return how many symbols the loss of the segment sums."""
        ...


class Method(Protocol):
    """A way to take gradients over a lane."""

    def updates(self, lane_length: int) -> int:
        """How many windows, and so optimizer steps, one reading of the lanes takes."""
        ...

    def period(self, lane_length: int) -> int:
        """How many steps lie between two updates, on average: an update has the mean loss over as many."""
        ...

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield the windows of one reading, in order."""
        ...

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return what is carried before the first window, in the form that a checkpoint holds.

        `initial` is the model's own state, and `first_step()` a segment of one step.
        """
        ...

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of one window to `.grad`.

        `segment` holds the steps of the window and `state` is the one before them. Returns (nats, count, state): the
        loss of the learned steps, how many symbols it sums, and the state before the next window, cut from the graph.
        """
        ...


@dataclass(frozen=True)
class Around(ABC):
    """A method around another, whose cuts and what it carries are the other's; `accumulate` is its own."""

    method: Method

    def updates(self, lane_length: int) -> int:
        """As many as the method's."""
        return self.method.updates(lane_length)

    def period(self, lane_length: int) -> int:
        """The method's."""
        return self.method.period(lane_length)

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield the method's windows."""
        return self.method.windows(lane_length, epoch)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return what the method carries."""
        return self.method.carried(initial, model, first_step)

    @abstractmethod
    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of one window to `.grad`, as `Method` says."""


def updates(method: Method, length: int) -> int:
    """Return how many windows a reading of this length has; one that is shorter than a window has one."""
    return method.updates(max(length, method.period(length)))


def whole(length: int, position: int = 0, reading: int = 0) -> Window:
    """Return a window that learns from all of its steps, followed by the next without overlap."""
    return Window(position, length, length, length, length, reading)


def cut(segment: Any, first: int, last: int) -> Any:
    """Return steps [first, last) of a segment: as it says itself, or its tensors by the first dimension."""
    if (first, last) == (0, segment.inputs.shape[0]):
        return segment
    if hasattr(segment, "steps"):
        return segment.steps(first, last)
    return type(segment)(*(None if part is None else part[first:last] for part in segment))


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


def leaves_of(state: State) -> list[Tensor]:
    """Return the tensors of a nested tuple, in order."""
    found: list[Tensor] = []
    map_state(lambda tensor: found.append(tensor) or tensor, state)
    return found
