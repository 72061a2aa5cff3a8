"""`ostinato train language-model`: calls `ostinato.training.language_model.train`."""

from __future__ import annotations

import shlex

from ostinato.cli.results import code_of, of_updates, print_beside_published
from ostinato.cli.settings import read_settings
from ostinato.training.config import Run


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(Run(), arguments, program, "Train a language model on a text.")

    from ostinato.training.language_model import train  # imports torch, which --help does without
    from ostinato.training.progress import make_display

    outcome = train(settings, make_display())
    folder = shlex.quote(str(outcome.folder))  # to be typed as it is printed
    if outcome.stopped:
        print(f"Stopped at step {outcome.step:,} of {outcome.steps:,}; everything is saved. To go on:")
        print(f"  ostinato train language-model --out {folder} --resume")
        return code_of(outcome.stopped)
    counted = settings.model.baseline == "kneser-ney"
    if outcome.best is not None:
        at = "" if counted else f" at step {outcome.best_step:,}"
        print(f"Best on the validation text: {outcome.best:.4f} nats{at}.")
        print_beside_published(settings, f"{outcome.best:.4f} nats a symbol after {outcome.seconds:,.0f} s")
    done = f"{outcome.read:,} symbols counted" if counted else f"{outcome.step:,} steps"
    print(f"Done: {done} in {outcome.seconds:,.0f} s{of_updates(outcome)}. To write with the model:")
    print(f"  ostinato generate {folder}")
    return 0
