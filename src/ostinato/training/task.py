"""What the loop asks of a kind of model, and what it says of a run: plain data between the two."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Lanes(Protocol):
    """Rows of a stream, read side by side. `length` is in steps."""

    length: int

    def segment(self, position: int, length: int) -> Any:
        """Return inputs, targets and resets of at most `length` steps from `position`."""
        ...


def engines(model: Any) -> str:
    """Return the engines that run the layers, and why, in one line."""
    plans = model.plans()
    return plans[0] if len(set(plans)) == 1 else "; ".join(plans)


@dataclass(frozen=True)
class Task:
    """A model and what surrounds it while it learns."""

    model: Any
    """A module with `loss(segment, state)`."""
    lanes: Lanes
    """What it learns from."""
    validate: Callable[[Any], dict[str, float]]
    """Figures over the validation text; `nats` decides which weights are best."""
    sample: Callable[[Any, int], str]
    """A text the model writes at a step."""
    write_card: Callable[[dict[str, Any]], None]
    """Writes the model card, given figures of the best weights."""
    characters_per_symbol: float = 1.0
    """Turns nats a symbol into bits a character."""


@dataclass
class Counters:
    """Where a run stands: what a checkpoint keeps beside tensors."""

    step: int = 0
    epoch: int = 0
    update: int = 0
    symbols: int = 0
    seconds: float = 0.0
    nats: float = 0.0
    count: int = 0
    best: float | None = None
    best_step: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `stopped` is the signal that ended it early, or None."""

    folder: Path
    step: int
    steps: int
    best_nats: float | None
    best_step: int | None
    seconds: float
    stopped: signal.Signals | None = None
    metrics: dict[str, float] = field(default_factory=dict)
