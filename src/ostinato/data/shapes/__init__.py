"""A world of coloured figures on a field, generated: images with captions, or with a question and its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.shapes.drawing import draw
from ostinato.data.shapes.scene import SIDE, Scene, drawn_scene
from ostinato.data.shapes.words import NUMBERS, caption, question

__all__ = ["Scene", "Shapes", "Shown"]

NAME = "generated:shapes"
Part = Literal["train", "valid", "test"]
_SHARES: dict[str, Part] = {"8": "valid", "9": "test"}


class Shown(NamedTuple):
    """An image, what is asked of it, and what is to be said."""

    image: NDArray[np.uint8]
    """(size, size, 3)"""
    question: str | None
    text: str
    """The caption, or the answer to the question."""
    caption: str
    """What is in the image, in words: which part it belongs to follows from it."""


@dataclass(frozen=True)
class Shapes:
    """Scenes of figures. Those of one part are never in another, whatever the seeds: their captions differ."""

    items: int = 10_000
    """Images."""
    seed: int = 0
    """Seed of the scenes; item by item, so more items begin with the same ones."""
    part: str = "train"
    """Which scenes: train has eight tenths of all there are, valid and test one each."""
    figures: int = 3
    """Most figures in an image, 1 to 3."""
    questions: bool = False
    """Ask a question of each image instead of describing it."""

    def images(self, size: int) -> Iterator[Shown]:
        """Yield the images, of so many pixels along a side. Raises ConfigError for a knob or a size that cannot be."""
        self.check()
        if size < 4 * SIDE:
            raise ConfigError("size", f"{size} pixels", f"Possible: {4 * SIDE} or more", "Use 36")
        return (self.item(number, size) for number in range(self.items))

    def item(self, number: int, size: int = 36) -> Shown:
        """Return one image, which depends on the knobs, the size and `number` (from 0) alone.

        >>> Shapes(seed=1).item(7).text
        'a small green square above a large purple circle above a large white circle'
        """
        generator = np.random.default_rng([self.seed, number])
        while True:
            scene = drawn_scene(generator, self.figures)
            said = caption(scene)
            asked = question(scene, generator) if self.questions else None
            if part_of(said) == self.part and (asked is not None or not self.questions):
                image = draw(scene, size, generator)
                return Shown(image, asked and asked.text, asked.answer if asked else said, said)

    def check(self) -> None:
        """Raise ConfigError for a knob that cannot be."""
        for name, low, high in (("items", 1, None), ("seed", 0, None), ("figures", 1, len(NUMBERS))):
            value = getattr(self, name)
            if not low <= value <= (high or value):
                possible = f"Possible: {low} to {high}" if high else f"Possible: {low} or more"
                raise ConfigError(NAME, f"{name}={value}", possible)
        if self.part not in get_args(Part):
            possible = f"Possible: {', '.join(get_args(Part))}"
            raise ConfigError(NAME, f"part={self.part}", possible, did_you_mean(self.part, get_args(Part)))


def part_of(caption: str) -> Part:
    """Return the part of the scenes that this caption describes, dealt by its hash."""
    number = int.from_bytes(hashlib.blake2b(caption.encode(), digest_size=4).digest(), "little")
    return _SHARES.get(str(number % 10), "train")
