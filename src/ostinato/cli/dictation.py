"""`ostinato predict --stream`: the text of one sound while it is heard, from a file or from standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato._errors import ConfigError

if TYPE_CHECKING:
    from ostinato.cli.predict import Predict

BEST_PATH = "What is written as it is heard is the best symbol at each step, as text"
OF_WHOLE_FILES = (
    "format", "column", "file_format", "encoding", "prefix", "question", "seed", "horizon", "samples"
)  # fmt: skip
"""What is asked of other models, or of whole files."""


def dictated(asked: Predict, model: Any) -> Iterator[str]:
    """Yield the text of a sound piece by piece, and the end of its line. Raises ConfigError for what cannot be."""
    if not hasattr(model, "dictate"):
        raise ConfigError("--stream", "this run hears no sound", "It is for transcribers", "Leave it out")
    others = [name for name in OF_WHOLE_FILES if getattr(asked, name) is not None]
    if refused := [*asked.search.given(), *others]:
        flag = f"--{refused[0].replace('_', '-')}"
        raise ConfigError(flag, "it was given with --stream", BEST_PATH, "Leave one out")
    named = [asked.file] if asked.file is not None else [*asked.texts]
    if len(named) != 1:
        raise ConfigError("--stream", f"{len(named)} sounds", "One is written while it is heard", "Name one")
    source = sys.stdin.buffer if named[0] == "-" else Path(named[0])
    if asked.rate is not None and named[0] != "-":
        raise ConfigError("--rate", f"it was given for {named[0]}", "A file says its rate itself", "Leave it out")
    return _with_an_end(model.dictate(source, asked.rate))


def _with_an_end(pieces: Iterator[str]) -> Iterator[str]:
    yield from pieces
    yield "\n"
