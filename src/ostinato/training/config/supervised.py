"""Settings that classifiers, taggers and forecasters share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ostinato.training.config.learning import Learning


@dataclass(frozen=True)
class SetLearning(Learning):
    """How it learns, from a set of sequences that is read again and again."""

    usual_epochs: ClassVar[float] = 10

    epochs: float | None = None
    """Times all sequences are read (default: 10)."""
