"""Trains a tagger: a tag for each word of sentences, or for each step of sequences of numbers.

`train_tagger` is the one call behind `ostinato train tagger`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ostinato.training.config import TaggerRun
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.supervised import course
from ostinato.training.supervised.call import called
from ostinato.training.tagger.shape import TaggerShape
from ostinato.training.task import Outcome


def train_tagger(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a tagger on `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `tag_column="xpos"`, `crf=True`, … Raises ConfigError, DataError or
    RunError before anything is lost.
    """
    begun = TaggerRun(out=None if out is None else Path(out), recipe=recipe, resume=resume, overwrite=overwrite)
    return train(called("train_tagger", begun, file, settings), make_display() if progress else Silent())


def train(run: TaggerRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    return course.train(run, TaggerShape(), display)
