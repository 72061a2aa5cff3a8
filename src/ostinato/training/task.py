"""What the loop asks of a kind of model, and what it says of a run: plain data between the two."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from ostinato.training.gradient import Method
from ostinato.training.progress import of_a_text


class Lanes(Protocol):
    """Rows of a stream, read side by side. `length` is in steps."""

    length: int
    rows: int
    """How many rows a reading has, in all processes."""

    def begin(self, reading: int) -> None:
        """Be ready for reading `reading`, counted from 0; `length` is its own from now on."""
        ...

    def segment(self, position: int, length: int) -> Any:
        """Return inputs, targets and resets of at most `length` steps from `position`."""
        ...

    def part(self, first: int, last: int) -> Lanes:
        """Return rows [first, last) alone."""
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
    """Figures over what is kept to validate."""
    method: Method
    """How its gradients are taken over time."""
    write_card: Callable[[dict[str, Any]], None]
    """Writes the model card, given figures of the best weights."""
    sample: Callable[[Any, int], str] | None = None
    """A text the model writes at a step."""
    characters_per_symbol: float | None = None
    """Of a text: turns nats a symbol into bits a character."""
    score: str = "nats"
    """The figure that decides which weights are best, the first of `validate`; the smaller the better."""
    loss: str | None = None
    """What the mean loss of training is called; None where it is that figure."""
    in_words: Callable[[dict[str, float]], str] = of_a_text
    """Says the figures of a validation in a line."""
    counts: Literal["symbols", "sequences"] = "symbols"
    """In what it is counted how much was read."""
    readings_an_epoch: int | None = 1
    """Readings of the lanes that make up an epoch; None where sequences are drawn anew, without end."""
    is_solved: Callable[[dict[str, float]], bool] = lambda figures: False
    """Whether figures are good enough to stop."""

    @property
    def row_name(self) -> str:
        """What a row of a batch is called."""
        return "sequence" if self.counts == "sequences" else "lane"


@dataclass
class Counters:
    """Where a run stands: what a checkpoint keeps beside tensors."""

    step: int = 0
    epoch: int = 0
    update: int = 0
    symbols: int = 0
    """Symbols of a text, or sequences of a task."""
    seconds: float = 0.0
    nats: float = 0.0
    count: int = 0
    clipped: int = 0
    """Steps whose gradient was clipped."""
    skipped: int = 0
    """Updates left out because loss or gradient was not finite."""
    best: float | None = None
    best_step: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `best` is the best score; `stopped` is the signal that ended it early, or None.

    `clipped` counts the steps whose gradient was clipped, `read` symbols of a text or sequences of a task.
    """

    folder: Path
    step: int
    steps: int
    best: float | None
    best_step: int | None
    seconds: float
    stopped: signal.Signals | None = None
    solved: bool = False
    clipped: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    read: int = 0
    tested: dict[str, float] = field(default_factory=dict)
    """Figures of the best weights over the test part, or where there is none, over the one kept to validate."""
    reached: str = ""
    """These in words."""
    horizon: str = ""
    """Within how many steps back 99 % of a gradient lies at the end, and as the run began; empty where that is not
    measured."""
