"""`ostinato train captioner`: calls `ostinato.training.captioner.train`."""

from __future__ import annotations

from ostinato.cli.results import end_of_supervised
from ostinato.cli.settings import read_settings
from ostinato.training.config import CaptionerRun


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(CaptionerRun(), arguments, program, "Train a captioner of images, regions or vectors.")

    from ostinato.training.captioner import train  # imports torch, which --help does without
    from ostinato.training.progress import make_display

    return end_of_supervised(settings, train(settings, make_display()), "IMAGE or --file FILE")
