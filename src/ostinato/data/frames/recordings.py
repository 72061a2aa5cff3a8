"""Frames: the steps of one sequence as numbers, with its label; and recordings, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ostinato.data.place import Place

Labels = Literal["item", "step", "none"]
"""What a label belongs to; "none" reads no labels."""


class Frames(NamedTuple):
    """One sequence of numbers."""

    place: Place
    """Where it stands; as text "JapaneseVowels_TRAIN.ts, line 16"."""
    values: np.ndarray
    """(T, D) float32, all of them finite."""
    label: str | np.ndarray | None
    """A class, numbers (K,) float32, or None where there is none."""
    steps: tuple[str, ...] | None = None
    """A class a step, where these were asked for."""


@dataclass(frozen=True)
class Recordings:
    """Sequences of numbers: iterating reads the file anew, item by item.

    Iterating raises DataError, naming the item, for what cannot be read.
    """

    name: str
    """The file as errors name it."""
    format: str
    """What it was taken for, in words: "sktime .ts, 12 channels, ragged"."""
    width: int
    """How many numbers a step has, D."""
    target: Literal["class", "number"] | None
    """What the labels are; None where there are none."""
    classes: tuple[str, ...] | None
    """The classes that the file declares; None where it declares none."""
    read: Callable[[], Iterator[Frames]]
    """Begins to read the items."""

    def __iter__(self) -> Iterator[Frames]:
        return self.read()
