"""How gradients are taken over time: the settings that every gradient method shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class OverTime:
    """How gradients are taken over time."""

    k1: int = 64
    """Learn once every k1 steps."""
    k2: int | None = None
    """Steps the gradient reaches back (default: k1); mean length of randomized windows; n of snap (default: 1)."""
    gradient: Literal[
        "truncated", "full", "randomized", "checkpointed", "rtrl", "snap", "uoro", "kf-rtrl", "e-prop"
    ] = "truncated"  # fmt: skip
    """How gradients are taken over time: back through k2 steps, through the whole lane, or forward with the state."""
    lengths: Literal["heavy-tailed", "geometric"] = "heavy-tailed"
    """How long the windows of --gradient randomized are: k2 steps on average, or k1 where there is no k2."""
    spacing: int = 8
    """Steps between the places where --gradient randomized may cut."""
    memory_budget: int | None = None
    """Bytes that --gradient checkpointed may keep (default: a state every √T steps)."""
