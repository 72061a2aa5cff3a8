"""`ostinato train transcriber`: calls `ostinato.training.transcriber.train`."""

from __future__ import annotations

from ostinato.cli.results import end_of_supervised
from ostinato.cli.settings import read_settings
from ostinato.training.config import TranscriberRun


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(TranscriberRun(), arguments, program, "Train a transcriber of speech.")

    from ostinato.training.progress import make_display  # imports torch, which --help does without
    from ostinato.training.transcriber import train

    return end_of_supervised(settings, train(settings, make_display()), "SOUND or --file FILE")
