"""`ostinato train reservoir`: calls `ostinato.training.reservoir.train`."""

from __future__ import annotations

from ostinato.cli.results import print_beside_published
from ostinato.cli.settings import read_settings
from ostinato.training.config import ReservoirRun


def run(arguments: list[str], program: str) -> int:
    """Fit, and print what was reached."""
    settings = read_settings(ReservoirRun(), arguments, program, "Fit the readout of a reservoir, in closed form.")

    from ostinato.training.progress import make_display  # imports torch, which --help does without
    from ostinato.training.reservoir import train

    fitted = train(settings, make_display())
    figures = ", ".join(f"{name} {value:.4g}" for name, value in fitted.figures.items())
    print(f"Done in {fitted.seconds:,.1f} s: {figures}.")
    print_beside_published(settings, figures)
    return 0
