"""Searches settings by optuna: every trial is a run in the study's folder, and any worker may be killed.

    study.yaml    what is searched, around which settings
    study.db      the trials, unless another storage counts them
    trial-0007/   a run folder
    best.yaml     the settings of the best trial so far, for --config

This is the one call behind `ostinato tune`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ostinato._errors import ConfigError
from ostinato.training import config
from ostinato.training.config.documents import unknown
from ostinato.training.config.tuning import TunedRun, TunedTaskRun

AnyStudy = TunedRun | TunedTaskRun
KINDS: dict[str, type[AnyStudy]] = {kind.kind: kind for kind in (TunedRun, TunedTaskRun)}


@dataclass(frozen=True)
class Tuned:
    """How a study stands: its best settings and their score, trials by how they ended, the signal that stopped it."""

    folder: Path
    best: dict[str, Any] | None
    score: float | None
    counts: dict[str, int]
    stopped: int | None = None


def tune(kind: str, *, out: str | Path | None = None, say: Callable[[str], None] = print, **settings: Any) -> Tuned:
    """Search settings for `ostinato train KIND` and return the best; each trial lies in the study's folder.

    `settings` are those of the command line: `search=["learning_rate=1e-4..1e-1 log"]`, `trials=20`, and those of a
    training. The same call goes on with a study that was cut off, and works beside others that share its `storage`.
    Raises OstinatoError for what cannot be done.
    """
    if kind not in KINDS:
        raise unknown("tune", "kind", kind, KINDS)
    run: AnyStudy = config.override(KINDS[kind](), "tune", settings)
    return search(replace(run, out=None if out is None else Path(out)), say)


def search(settings: AnyStudy, say: Callable[[str], None] = print) -> Tuned:
    """Work on the study that `settings` describe until it has its trials. Raises OstinatoError."""
    try:
        from ostinato.training.tuning.study import work
    except ModuleNotFoundError as error:
        if error.name not in ("optuna", "sqlalchemy"):
            raise
        raise ConfigError("tune", f"{error.name} is not installed", "", "Type: pip install 'ostinato[tune]'") from None
    return work(settings, say)
