"""Checks of settings that every kind of run shares."""

from __future__ import annotations

import math

from ostinato._errors import ConfigError
from ostinato.training.config.runs import AnyRun


def refuse_two_ways(run: AnyRun) -> None:
    """Refuse to go on with a run and to begin it anew."""
    if run.resume and run.overwrite:
        raise ConfigError("--resume", "--overwrite was given too", "Going on, or beginning anew", "Leave one out")


def above_zero(name: str, value: float | None) -> None:
    """Refuse a setting that must be greater than zero, and finite (None passes)."""
    if value is not None and not 0 < value < math.inf:
        raise ConfigError(f"--{name.replace('_', '-')}", f"{name} is {value}", "It is greater than 0")


def check_seed(seed: int | None) -> None:
    """Refuse a seed that torch's generators do not take (None passes)."""
    if seed is not None and not 0 <= seed < 2**63:
        raise ConfigError("--seed", f"seed is {seed}", "It is a whole number from 0 to 2**63 - 1")
