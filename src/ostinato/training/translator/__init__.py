"""Trains a translator: sequences into sequences of their own length.

`train_translator` is the one call behind `ostinato train translator`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.config import TranslatorRun
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.task import Outcome
from ostinato.training.translator.shape import TranslatorShape


def train_translator(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a translator on the pairs of `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `targets="train.en"`, `attention="additive"`, … Raises ConfigError,
    DataError or RunError before anything is lost.
    """
    begun = TranslatorRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_translator", begun, file, settings), make_display() if progress else Silent())


def train(run: TranslatorRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, TranslatorShape(), display)
