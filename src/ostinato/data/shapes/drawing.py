"""Draws a scene: each figure by its distance from a pixel, so that its edge is smooth at any size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ostinato.data.shapes.scene import SIDE, Scene

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 230),
    "yellow": (235, 215, 50),
    "purple": (160, 60, 200),
    "white": (240, 240, 240),
}
RADII = {"small": 0.23, "large": 0.42}
"""In cells."""
SHIFT = 0.08
"""How far the middle of a figure lies from that of its cell at most, in cells."""
GROUND, TINT = (20, 50), 12
"""The grey of the ground is drawn from these; a colour differs from its own by so much at most."""

Plane = NDArray[np.float64]


def draw(scene: Scene, size: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return the scene as an image (size, size, 3). Places, tints and the ground differ a little each time."""
    image = np.full((size, size, 3), generator.uniform(*GROUND))
    cell, pixels = size / SIDE, np.arange(size) + 0.5
    for figure in scene.figures:
        down, right = (np.array([figure.row, figure.column]) + 0.5 + generator.uniform(-SHIFT, SHIFT, 2)) * cell
        radius = RADII[figure.size] * cell
        distance = DISTANCES[figure.kind](pixels[None, :] - right, pixels[:, None] - down, radius)
        cover = np.clip(0.5 - distance, 0.0, 1.0)[:, :, None]
        colour = np.array(COLOURS[figure.colour]) + generator.uniform(-TINT, TINT, 3)
        image = image * (1 - cover) + colour * cover
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _circle(x: Plane, y: Plane, r: float) -> Plane:
    return np.sqrt(x**2 + y**2) - r


def _square(x: Plane, y: Plane, r: float) -> Plane:
    return np.maximum(abs(x), abs(y)) - 0.9 * r


def _triangle(x: Plane, y: Plane, r: float) -> Plane:
    """Equal sides, its tip above; the sides lie half a radius from the middle."""
    return np.maximum(y, abs(x) * np.sqrt(3) / 2 - y / 2) - r / 2


def _cross(x: Plane, y: Plane, r: float) -> Plane:
    arm = r / 3
    lying, standing = np.maximum(abs(x) - r, abs(y) - arm), np.maximum(abs(x) - arm, abs(y) - r)
    return np.minimum(lying, standing)


DISTANCES: dict[str, Callable[[Plane, Plane, float], Plane]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
}
"""Distance in pixels to the edge of a figure around (0, 0), below 0 within it."""
