"""What is said of a scene: its caption, and questions with their answers.

A caption names every figure in order, so that it is the only one that fits:

    a small red circle at the top left
    a large blue square left of a small white cross left of a small red circle
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ostinato.data.shapes.scene import COLOURS, FIGURES, Figure, Scene

NUMBERS = ("one", "two", "three")
PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("at the left", "in the middle", "at the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)


class Question(NamedTuple):
    """A question and its answer."""

    text: str
    answer: str


def caption(scene: Scene) -> str:
    """Return the caption of a scene."""
    first = scene.figures[0]
    if len(scene.figures) == 1:
        return f"a {first} {PLACES[first.row][first.column]}"
    return f" {_forwards(scene)} ".join(f"a {figure}" for figure in scene.figures)


def question(scene: Scene, generator: np.random.Generator) -> Question | None:
    """Draw a question about a scene; None where the kind that is drawn cannot be asked of it.

    Whoever does not see the scene gains nothing from the question: yes and no are nearly as likely whatever it
    names, and so are colours, kinds, sizes and numbers.
    """
    ask = QUESTIONS[int(generator.integers(len(QUESTIONS)))]
    return ask(scene, generator)


def _forwards(scene: Scene) -> str:
    return "above" if scene.upright else "left of"


def _backwards(scene: Scene) -> str:
    return "below" if scene.upright else "right of"


def _one(figures: list[Figure], generator: np.random.Generator) -> Figure | None:
    return figures[int(generator.integers(len(figures)))] if figures else None


def _alone(scene: Scene, what: Callable[[Figure], Any]) -> list[Figure]:
    """Return the figures that are the only ones of their kind, colour and so on."""
    seen = [what(figure) for figure in scene.figures]
    return [figure for figure in scene.figures if seen.count(what(figure)) == 1]


def _named(figure: Figure) -> str:
    return f"{figure.colour} {figure.kind}"


def _colour(scene: Scene, generator: np.random.Generator) -> Question | None:
    one = _one(_alone(scene, lambda figure: figure.kind), generator)
    return one and Question(f"what colour is the {one.kind} ?", one.colour)


def _kind(scene: Scene, generator: np.random.Generator) -> Question | None:
    one = _one(_alone(scene, lambda figure: figure.colour), generator)
    return one and Question(f"what is the {one.colour} figure ?", f"a {one.kind}")


def _size(scene: Scene, generator: np.random.Generator) -> Question | None:
    one = _one(list(scene.figures), generator)
    return one and Question(f"is the {_named(one)} small or large ?", one.size)


def _there(scene: Scene, generator: np.random.Generator) -> Question | None:
    if generator.integers(2):
        one = _one(list(scene.figures), generator)
        return one and Question(f"is there a {_named(one)} ?", "yes")
    colour, kind = COLOURS[int(generator.integers(len(COLOURS)))], FIGURES[int(generator.integers(len(FIGURES)))]
    if any((figure.colour, figure.kind) == (colour, kind) for figure in scene.figures):
        return None
    return Question(f"is there a {colour} {kind} ?", "no")


def _count(scene: Scene, generator: np.random.Generator) -> Question | None:
    return Question("how many figures are there ?", NUMBERS[len(scene.figures) - 1])


def _relation(scene: Scene, generator: np.random.Generator) -> Question | None:
    if len(scene.figures) < 2:
        return None
    here, there = sorted(int(k) for k in generator.permutation(len(scene.figures))[:2])
    first, second = scene.figures[here], scene.figures[there]
    swapped, forwards = bool(generator.integers(2)), bool(generator.integers(2))
    if swapped:
        first, second = second, first
    words = _forwards(scene) if forwards else _backwards(scene)
    answer = "no" if swapped == forwards else "yes"
    return Question(f"is the {_named(first)} {words} the {_named(second)} ?", answer)


def _neighbour(scene: Scene, generator: np.random.Generator) -> Question | None:
    if len(scene.figures) < 2:
        return None
    here = int(generator.integers(len(scene.figures) - 1))
    first, second = scene.figures[here], scene.figures[here + 1]
    if generator.integers(2):
        return Question(f"what is next {_forwards(scene)} the {_named(second)} ?", f"a {first}")
    return Question(f"what is next {_backwards(scene)} the {_named(first)} ?", f"a {second}")


def _where(scene: Scene, generator: np.random.Generator) -> Question | None:
    one = _one(list(scene.figures), generator)
    return one and Question(f"where is the {_named(one)} ?", PLACES[one.row][one.column])


def _everything(scene: Scene, generator: np.random.Generator) -> Question | None:
    return Question("what is there ?", caption(scene))


QUESTIONS = (
    _colour,
    _kind,
    _size,
    _there,
    _count,
    _relation,
    _neighbour,
    _where,
    _everything,
    _everything,
    _everything,
)
"""Each is drawn as often as any other; the whole caption, from which most is learned, thrice as often."""
