"""Settings that classifiers, taggers and forecasters share."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.training.config.learning import Learning


@dataclass(frozen=True)
class SetLearning(Learning):
    """How it learns, from a set of sequences that is read again and again."""

    epochs: float | None = None
    """Times all sequences are read (default: 10, at least 1,000 steps, at most 10,000,000 symbols or frames)."""
