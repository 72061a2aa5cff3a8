"""`ostinato train translator`: calls `ostinato.training.translator.train`."""

from __future__ import annotations

from ostinato.cli.results import end_of_supervised
from ostinato.cli.settings import read_settings
from ostinato.training.config import TranslatorRun


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(TranslatorRun(), arguments, program, "Train a translator of sequences into sequences.")

    from ostinato.training.progress import make_display
    from ostinato.training.translator import train  # imports torch, which --help does without

    return end_of_supervised(settings, train(settings, make_display()), "TEXT or --file FILE")
