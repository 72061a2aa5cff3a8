"""What a model reads while it learns, where it feeds back its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Feeding:
    """What is read, of a model that feeds back its output."""

    feedback: Literal["teacher", "scheduled", "free"] = "teacher"
    """What is read as the symbol before: the right one, the model's own by scheduled sampling, or always its own."""
    decay: Literal["linear", "exponential", "inverse-sigmoid"] = "inverse-sigmoid"
    """How the chance of the right symbol falls in scheduled sampling."""
    decay_constant: float | None = None
    """How fast it falls: k of the paper, or c of the linear one (default: to one in two after half of the steps)."""
    least_teaching: float = 0.0
    """Chance of the right symbol below which it does not fall."""
