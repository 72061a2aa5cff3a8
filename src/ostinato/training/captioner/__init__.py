"""Trains a captioner: what is seen, and what is asked of it, into words.

`train_captioner` is the one call behind `ostinato train captioner`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.captioner.shape import CaptionerShape
from ostinato.training.config import CaptionerRun
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.task import Outcome


def train_captioner(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a captioner on the images or vectors of `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `image_size=64`, `attention="general"`, … Raises ConfigError, DataError
    or RunError before anything is lost.
    """
    begun = CaptionerRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_captioner", begun, file, settings), make_display() if progress else Silent())


def train(run: CaptionerRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, CaptionerShape(), display)
