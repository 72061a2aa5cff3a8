"""Figures of the run, read from the device seldom: a step leaves its tensors here and waits for nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ostinato._errors import OstinatoError


class NonFiniteError(OstinatoError):
    """The loss or the gradient became infinite or not a number."""


@dataclass
class Meter:
    """Sums of losses and norms between two reports. `nats`, `count` and `clipped` are what a checkpoint keeps."""

    nats: float = 0.0
    count: int = 0
    clipped: int = 0
    """Steps whose gradient was clipped, since the run began."""
    norm: float = 0.0
    check_norm: bool = True
    _waiting: list[tuple[int, int, Tensor, Tensor, Tensor, Callable[[], str]]] = field(default_factory=list)

    def add(
        self, step: int, nats: Tensor, count: int, norm: Tensor, clipped: Tensor, origin: Callable[[], str] = str
    ) -> None:
        """Leave the figures of a step; nothing is read yet. `origin` says where a fault of this step comes from."""
        self._waiting.append((step, count, nats, norm, clipped, origin))

    def read(self) -> None:
        """Read what waits, in order. Raises NonFiniteError naming the first step that is not finite."""
        if not self._waiting:
            return
        nats = torch.stack([entry[2].float() for entry in self._waiting]).tolist()
        norms = torch.stack([entry[3].float() for entry in self._waiting]).tolist()
        self.clipped += int(torch.stack([entry[4] for entry in self._waiting]).sum())
        for (step, count, *_, origin), loss, norm in zip(self._waiting, nats, norms, strict=True):
            refuse_non_finite(step, "loss", loss, origin)
            if self.check_norm:
                refuse_non_finite(step, "gradient norm", norm, origin)
            self.nats += loss
            self.count += count
            self.norm = norm
        self._waiting.clear()

    def restart(self) -> None:
        """Begin a new sum."""
        self.nats, self.count = 0.0, 0

    @property
    def mean(self) -> float:
        """Mean loss in nats a symbol since the last restart; NaN before the first step."""
        return self.nats / self.count if self.count else math.nan


class Speed:
    """Symbols (or sequences) a second since the last restart."""

    def __init__(self):
        self.restart()

    def restart(self) -> None:
        self._began, self._count = time.monotonic(), 0

    def add(self, count: int) -> None:
        self._count += count

    def value(self) -> float:
        return self._count / max(1e-9, time.monotonic() - self._began)


def refuse_non_finite(step: int, what: str, value: float, origin: Callable[[], str] = str) -> None:
    """Raise NonFiniteError naming the step, and what `origin()` says of it, unless the value is finite."""
    if not math.isfinite(value):
        raise NonFiniteError(
            f"step {step}",
            f"the {what} is {value}{origin()}",
            "What was saved before it is kept",
            "Begin anew with a smaller --learning-rate or --clip-norm",
        )
