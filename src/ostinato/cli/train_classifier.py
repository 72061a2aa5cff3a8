"""`ostinato train classifier`: calls `ostinato.training.classifier.train`."""

from __future__ import annotations

from ostinato.cli.results import end_of_supervised
from ostinato.cli.settings import read_settings
from ostinato.training.config import ClassifierRun


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(ClassifierRun(), arguments, program, "Train a classifier of texts or of frames.")

    from ostinato.training.classifier import train  # imports torch, which --help does without
    from ostinato.training.progress import make_display

    return end_of_supervised(settings, train(settings, make_display()), "TEXT or --file FILE")
