"""Trains a forecaster on series of any file: numbers over time, counts, frames of bits.

`train_forecaster` is the one call behind `ostinato train forecaster`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.forecaster.shape import ForecasterShape
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.task import Outcome


def train_forecaster(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a forecaster on `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `target="OT"`, `horizon=24`, `cell="gru"`, … Raises ConfigError,
    DataError or RunError before anything is lost.
    """
    begun = ForecasterRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_forecaster", begun, file, settings), make_display() if progress else Silent())


def train(run: ForecasterRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, ForecasterShape(), display)
