"""Trains a classifier on labelled sequences of any length: texts, or frames of numbers.

`train_classifier` is the one call behind `ostinato train classifier`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.classifier.shape import ClassifierShape
from ostinato.training.config import ClassifierRun
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.task import Outcome


def train_classifier(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a classifier on `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `label="sentiment"`, `cell="gru"`, … Raises ConfigError,
    DataError or RunError before anything is lost.
    """
    begun = ClassifierRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_classifier", begun, file, settings), make_display() if progress else Silent())


def train(run: ClassifierRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, ClassifierShape(), display)
