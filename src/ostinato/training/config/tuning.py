"""The settings of a study: what is searched, how often, and where trials are counted. No torch, no optuna."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tyro.conf import UseAppendAction

from ostinato.training.config.runs import Run, TaskRun


@dataclass(frozen=True)
class Study:
    """What is searched, and how."""

    search: UseAppendAction[tuple[str, ...]] = ()
    """Setting to search: "learning_rate=1e-4..1e-1 log", "hidden_size=32..256 step 32", "cell=lstm,gru"; repeatable."""
    trials: int = 20
    """Trials of the study, those of all its workers together."""
    figure: str | None = None
    """What is to be small, as a validation calls it (default: the score that decides which weights are best)."""
    sampler: Literal["tpe", "random"] = "tpe"
    """How settings are chosen: from what earlier trials reached (TPE), or blindly."""
    pruner: Literal["median", "none"] = "median"
    """When a trial is given up: where a validation is worse than the median of trials before it, or never."""
    storage: str | None = None
    """Database of the trials, as postgresql://user:password@host/name (default: a SQLite file in the folder)."""


@dataclass(frozen=True, kw_only=True)
class TunedRun(Run):
    """A study of the settings of a language model."""

    study: Study = field(default_factory=Study)

    @property
    def name(self) -> str:
        """The name of the text, as of something tuned."""
        return f"tune-{super().name}"


@dataclass(frozen=True, kw_only=True)
class TunedTaskRun(TaskRun):
    """A study of the settings on a synthetic task."""

    study: Study = field(default_factory=Study)

    @property
    def name(self) -> str:
        """The recipe, or the task."""
        return f"tune-{self.recipe or self.task.task}"
