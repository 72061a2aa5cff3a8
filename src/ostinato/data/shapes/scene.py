"""A scene of the generated world: one to three figures in a row or a column of a field of three by three cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FIGURES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SIZES = ("small", "large")
SIDE = 3
"""Cells along a side of the field."""


class Figure(NamedTuple):
    """One figure, whose row and column count from the upper left."""

    row: int
    column: int
    size: str
    colour: str
    kind: str

    def __str__(self) -> str:
        return f"{self.size} {self.colour} {self.kind}"


class Scene(NamedTuple):
    """Figures of one row from left to right, or of one column from top to bottom."""

    figures: tuple[Figure, ...]

    @property
    def upright(self) -> bool:
        """Whether the figures stand one above the other."""
        return len({figure.column for figure in self.figures}) == 1 < len(self.figures)


def drawn_scene(generator: np.random.Generator, most: int) -> Scene:
    """Draw a scene of 1 to `most` figures, each number as often; what each is like is drawn by itself.

    Two figures never have both colour and kind in common, so that "the red circle" names one.
    """
    count = int(generator.integers(1, most + 1))
    along = sorted(int(k) for k in generator.permutation(SIDE)[:count])
    across, upright = int(generator.integers(SIDE)), bool(generator.integers(2))
    looks = generator.permutation(len(COLOURS) * len(FIGURES))[:count]
    figures = []
    for place, look in zip(along, looks, strict=True):
        row, column = (place, across) if upright else (across, place)
        colour, kind = divmod(int(look), len(FIGURES))
        size = SIZES[int(generator.integers(len(SIZES)))]
        figures.append(Figure(row, column, size, COLOURS[colour], FIGURES[kind]))
    return Scene(tuple(figures))
