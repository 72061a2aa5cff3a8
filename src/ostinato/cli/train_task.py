"""`ostinato train task`: calls `ostinato.training.sequence_task.train`."""

from __future__ import annotations

import shlex

from ostinato.cli.results import code_of, of_updates, print_beside_published
from ostinato.cli.settings import read_settings
from ostinato.training.config import TaskRun


def run(arguments: list[str], program: str) -> int:
    """Train until the task is solved or the steps are taken, and print what was reached."""
    settings = read_settings(TaskRun(), arguments, program, "Train on a synthetic task, drawn anew at each step.")

    from ostinato.training.progress import make_display, of_a_task  # imports torch, which --help does without
    from ostinato.training.sequence_task import train

    outcome = train(settings, make_display())
    if outcome.stopped:
        print(f"Stopped at step {outcome.step:,} of {outcome.steps:,}; everything is saved. To go on:")
        print(f"  ostinato train task --out {shlex.quote(str(outcome.folder))} --resume")
        return code_of(outcome.stopped)
    sequences = outcome.read
    verdict = "Solved" if outcome.solved else "Not solved"
    print(f"{verdict}: {outcome.step:,} steps, {sequences:,} sequences, {outcome.seconds:,.0f} s{of_updates(outcome)}.")
    verdict = "solved" if outcome.solved else "not solved"
    scores = of_a_task(outcome.metrics) if outcome.metrics else "no validation"
    reached = f"{verdict} after {sequences:,} sequences ({outcome.step:,} steps): {scores}"
    horizon = f"; gradient horizon {outcome.horizon}" if outcome.horizon else ""
    print_beside_published(settings, reached + horizon)
    return 0
