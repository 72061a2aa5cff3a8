"""What a run prints at its end: what became of its updates, what its recipe reached beside what was published."""

from __future__ import annotations

import shlex
import signal
import sys
from typing import TYPE_CHECKING

from ostinato.training.config import AnyRun, recipe_document

if TYPE_CHECKING:
    from ostinato.training.task import Outcome  # imports torch, which --help does without


def print_beside_published(settings: AnyRun, reached: str) -> None:
    """Print three lines; nothing where the run has no recipe, or its recipe names no result."""
    if settings.recipe is None:
        return
    document = recipe_document(settings.recipe)
    if "published" not in document:
        return
    control = document.get("control", {})
    print(f"reached    {reached}")
    if settings.control:
        print(f"expected   {control.get('expected', 'not that')}, of the negative control")
        print(f"published  {document['published']}, of the recipe itself")
        return
    print(f"published  {document['published']}")
    if control:
        command = f"ostinato train --recipe {settings.recipe} --control"
        print(f"control    {command} ({control.get('expected', 'must not reach that')})")


def end_of_supervised(settings: AnyRun, outcome: Outcome, given: str) -> int:
    """Print how a run over labelled sequences went and what to type next; return the exit code."""
    folder = shlex.quote(str(outcome.folder))  # to be typed as it is printed
    if outcome.stopped:
        print(f"Stopped at step {outcome.step:,} of {outcome.steps:,}; everything is saved. To go on:")
        print(f"  ostinato train {settings.kind} --out {folder} --resume")
        return code_of(outcome.stopped)
    print_beside_published(settings, f"{outcome.reached} after {outcome.seconds:,.0f} s")
    print(f"Done: {outcome.step:,} steps in {outcome.seconds:,.0f} s{of_updates(outcome)}. To use the model:")
    print(f"  ostinato predict {folder} {given}")
    return 0


def say(line: str) -> None:
    """Print a line about the input where it does not mix with the output."""
    print(line, file=sys.stderr)


def of_updates(outcome: Outcome) -> str:
    """Return how many gradients were clipped and left out, as the end of a sentence; nothing where none was."""
    clipped = f", {outcome.clipped:,} of the gradients clipped" if outcome.clipped else ""
    return clipped + (f", {outcome.skipped:,} left out as not finite" if outcome.skipped else "")


def code_of(stopped: signal.Signals) -> int:
    """Return the exit code after a signal: SIGTERM asks for an end and gets one, Ctrl-C breaks something off."""
    return 0 if stopped == signal.SIGTERM else 128 + stopped
