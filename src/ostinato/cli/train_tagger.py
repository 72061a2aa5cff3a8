"""`ostinato train tagger`: calls `ostinato.training.tagger.train`."""

from __future__ import annotations

from ostinato.cli.results import end_of_supervised
from ostinato.cli.settings import read_settings
from ostinato.training.config import TaggerRun


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(TaggerRun(), arguments, program, "Train a tagger of words or of frames.")

    from ostinato.training.progress import make_display  # imports torch, which --help does without
    from ostinato.training.tagger import train

    given = "TEXT or --file FILE" if settings.data.frames is None else "--file FILE"
    return end_of_supervised(settings, train(settings, make_display()), given)
