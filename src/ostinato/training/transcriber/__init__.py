"""Trains a transcriber: sounds, or features of them, into texts of their own length.

`train_transcriber` is the one call behind `ostinato train transcriber`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.config import TranscriberRun
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.task import Outcome
from ostinato.training.transcriber.shape import TranscriberShape


def train_transcriber(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a transcriber on `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `tokens="bpe"`, `directions=1`, … Raises ConfigError, DataError or
    RunError before anything is lost.
    """
    begun = TranscriberRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_transcriber", begun, file, settings), make_display() if progress else Silent())


def train(run: TranscriberRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, TranscriberShape(), display)
