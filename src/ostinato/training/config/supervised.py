"""Settings that classifiers, taggers and forecasters share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostinato._errors import ConfigError
from ostinato.training.config.learning import Learning
from ostinato.training.config.runs import AnyRun


@dataclass(frozen=True)
class SetLearning(Learning):
    """How it learns, from a set of sequences that is read again and again."""

    epochs: float | None = None
    """Times all sequences are read (default: 10, at least 1,000 steps, at most 10,000,000 symbols or frames)."""


@dataclass(frozen=True, kw_only=True)
class FileRun(AnyRun):
    """A run over a person's own file, `data.file`, of a network or of `model.baseline` where there is one."""

    needed = ("data", "file", "")
    data: Any
    model: Any

    @property
    def name(self) -> str:
        """The recipe, or the name of the file and of the baseline."""
        if self.recipe is not None:
            return self.recipe + ("-control" if self.control else "")
        file = self.data.file
        if not file:
            raise ConfigError("file", "no file was given", "Give a file to learn from, or --resume with --out")
        baseline = getattr(self.model, "baseline", "none")
        baseline = "" if baseline == "none" else f"-{baseline}"
        if file.startswith(("hf://", "generated:")):
            file = file.partition("?")[0].removeprefix("generated:")
        return Path(file.rstrip("/")).name.partition(".")[0] + baseline
