"""What a run prints at its end: what it clipped, what its recipe reached beside what was published, the control."""

from __future__ import annotations

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


def of_clipping(outcome: Outcome) -> str:
    """Return how many gradients were clipped, as the end of a sentence; nothing where none was."""
    return f", {outcome.clipped:,} of the gradients clipped" if outcome.clipped else ""
