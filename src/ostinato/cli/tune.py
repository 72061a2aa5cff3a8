"""`ostinato tune language-model | task`: calls `ostinato.training.tuning.search`."""

from __future__ import annotations

import shlex

from ostinato.cli.settings import read_settings
from ostinato.training.config.tuning import TunedRun, TunedTaskRun


def run(arguments: list[str], program: str) -> int:
    """Search, and print the best settings and how to train with them."""
    kind = next(k for k in (TunedRun, TunedTaskRun) if program.endswith(k.kind))
    description = "Search settings: each trial is a run, and the same command goes on with a study that was cut off."
    settings = read_settings(kind(), arguments, program, description)

    from ostinato.training.tuning import search  # imports torch, which --help does without

    tuned = search(settings)
    folder = shlex.quote(str(tuned.folder))
    print(", ".join(f"{count} {name}" for name, count in tuned.counts.items() if count) or "no trial", end=".\n")
    if tuned.stopped is not None:
        print("Stopped; everything is kept. To go on, type the same command again.")
        return 128 + tuned.stopped
    if tuned.best is not None:
        chosen = ", ".join(f"{name} {value}" for name, value in tuned.best.items())
        print(f"Best: {tuned.score:.6g} with {chosen}. To train with it:")
        print(f"  ostinato train {kind.kind} --config {folder}/best.yaml")
        print(f"  ostinato compare {folder}")
    return 0
