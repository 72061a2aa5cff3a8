"""The gradient horizon while a model learns: the steps back that 99 % of a gradient lies within.

It is taken of the same few rows each time, so that the figures of a run can be compared, at the beginning, at the end,
and between as often as costs at most a fiftieth of the time in all. Nothing that is learned depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ostinato._errors import ConfigError
from ostinato.diagnostics.flow import Flow, gradient_flow
from ostinato.layers.recurrent import Recurrent
from ostinato.training.config import Learning
from ostinato.training.devices import move
from ostinato.training.gradient.rows import rows_of
from ostinato.training.task import Lanes

ROWS = 4
READINGS = 8
"""Of sets in batches, the one with the longest sequences of so many is looked at."""
LEAST, MOST = 64, 512
"""Steps that are looked at, of a stream."""
BEYOND = 4
"""A stream is looked at over so many times k2, which shows whether truncation cuts something off."""
SHARE = 0.02
"""Of the time, at most, of a run that takes a hundred times as long as a look or more."""
FIGURES = ("gradient_horizon", "horizon_window", "gradient_left", "horizon_step")
"""Names of what metrics keep of it. When it is measured depends on the clock, as nothing else there but `seconds`."""
GROWN = 100.0
"""A gradient that grows so many times on its way back explodes."""


@dataclass(frozen=True)
class Horizon:
    """What was measured."""

    step: int
    steps_back: int | None
    """None where they are more than the window has."""
    window: int
    """How far back was looked."""
    left: float
    """Share of the norm at the far end."""
    grown: float
    """The largest share of it anywhere, the norm at the last step being 1."""

    def __str__(self) -> str:
        return f">{self.window}" if self.steps_back is None else f"{self.steps_back}"

    def reaches_beyond(self, steps: int) -> bool:
        """Whether a gradient reaches back further than so many steps."""
        return self.window > steps if self.steps_back is None else self.steps_back > steps


class Probe:
    """Looks at a model now and then. `horizon` is the last that was measured, None before the first."""

    def __init__(self, model: nn.Module, lanes: Lanes, training: Learning, say: Callable[[str], None]):
        self.training, self._lanes, self._say = training, lanes, say
        self.is_on = training.gradient_horizon and not training.compile and _is_recurrent(model)
        self.horizon: Horizon | None = None
        self._earliest: Horizon | None = None
        self._batch: Any = None
        self._before: Horizon | None = None
        self._first: float | None = None
        self._spent, self._rests_until, self._warned = 0.0, 0.0, set()

    def look(self, model: nn.Module, step: int, device: torch.device) -> None:
        """Measure, unless too little time has passed for what it costs."""
        began = time.monotonic()
        if not self.is_on or began < self._rests_until:
            return
        self._first = began if self._first is None else self._first
        if self._batch is None:
            self._batch = move(probed(self._lanes, self.training), device)
        try:
            self._before, self.horizon = self.horizon, measured(model, self._batch, step)
        except RuntimeError as error:  # no memory left, or a step that torch cannot take back: no reason to end a run
            self.horizon = None
            self._say(f"note    the gradient horizon is not measured: {str(error).splitlines()[0]}")
        self.is_on = self.horizon is not None
        self._earliest = self._earliest or self.horizon
        self._warn()
        cost = time.monotonic() - began
        self._spent += cost
        self._rests_until = self._first + (self._spent + 2 * cost) / SHARE  # the next one's, and the last one's

    def last(self, model: nn.Module, step: int, device: torch.device) -> str:
        """Measure once more, at the end, and return in words the horizon then and as the run began; "" without one."""
        self._rests_until = 0.0
        self.look(model, step, device)
        if not self.is_on or self._earliest is None:
            return ""
        return f"{self.horizon} steps ({self._earliest} at step {self._earliest.step})"

    def shown(self) -> str | None:
        """Return the horizon as the progress line has it; None where none is measured."""
        return None if not self.is_on else "-" if self.horizon is None else str(self.horizon)

    def figures(self) -> dict[str, Any]:
        """Return what metrics keep, by `FIGURES`; the horizon is None where it lies beyond the window."""
        found = self.horizon
        if found is None:
            return {}
        return dict(zip(FIGURES, (found.steps_back, found.window, found.left, found.step), strict=True))

    def _warn(self) -> None:
        """Say once what two measurements on end agree about."""
        before, now = self._before, self.horizon
        if before is None or now is None:
            return
        for name, text in WARNINGS.items():
            words = text(now, self.training)
            if words and text(before, self.training) and name not in self._warned:
                self._warned.add(name)
                self._say(f"step {now.step}: {words}")


def probed(lanes: Lanes, training: Learning) -> Any:
    """Return what is looked at: a few rows of the longest of some readings, the end of them where they are long."""
    with torch.random.fork_rng(devices=[]):
        part, longest = lanes.part(0, training.batch_size), None
        for reading in range(READINGS):
            part.begin(reading)
            if longest is not None and part.length <= longest[0]:
                continue
            steps = min(part.length, _window(training))
            longest = part.length, rows_of(part.segment(part.length - steps, steps), 0, ROWS)
    assert longest is not None
    return longest[1]


def measured(model: nn.Module, batch: Any, step: int) -> Horizon | None:
    """Return the horizon of all layers together, of several networks the nearest; None where no gradient flows."""
    try:
        flows = gradient_flow(model, batch)
    except ConfigError:  # what the rows that are looked at predict depends on no step
        return None
    found = [_horizon(flow, step) for flow in flows if flow.layer is None]
    return min(found, key=lambda one: one.window + 1 if one.steps_back is None else one.steps_back)


def _horizon(flow: Flow, step: int) -> Horizon:
    median = flow.median
    return Horizon(step, flow.horizon(), len(median) - 1, float(median[-1]), float(median.max()))


def _is_recurrent(model: nn.Module) -> bool:
    return any(isinstance(module, Recurrent) for module in model.modules())


def _window(training: Learning) -> int:
    """Return how many steps are looked at, at most."""
    k2 = cut_at(training)
    return max(LEAST, min(MOST, BEYOND * k2)) if k2 else MOST


def cut_at(training: Learning) -> int:
    """Return how far back the gradient method goes; 0 where it goes to the beginning."""
    return (training.k1 if training.k2 is None else training.k2) if training.gradient == "truncated" else 0


def _cut_off(found: Horizon, training: Learning) -> str:
    """Say that truncation cuts off what could be learned, where it does."""
    k2 = cut_at(training)
    if not k2 or not found.reaches_beyond(k2):
        return ""
    further = found.window if found.steps_back is None else found.steps_back
    return (
        f"gradients reach {found} steps back, and are cut after k2 = {k2}. What lies further back may be learned "
        f"with --k2 {further}, at the cost of memory and time"
    )


def _exploding(found: Horizon, training: Learning) -> str:
    """Say that gradients explode, where they do."""
    if not found.grown > GROWN:
        return ""
    return (
        f"gradients grow {_times(found.grown)} on their way {found.window} steps back: they explode. "
        "Try a smaller --clip-norm or --learning-rate, or a cell with gates"
    )


def _times(factor: float) -> str:
    return f"{factor:,.0f}-fold" if factor < 1e6 else "more than a million-fold"


WARNINGS = {"cut off": _cut_off, "exploding": _exploding}
