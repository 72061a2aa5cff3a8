"""An utterance: a sound, or its features, and what is said in it; and files of them, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ostinato.data.place import Place
from ostinato.data.speech.sound import Sound


class Utterance(NamedTuple):
    """Something that was said."""

    place: Place
    """Where it stands."""
    name: str
    """What it is called: the path of its sound, or where its features stand."""
    hear: Callable[[], Sound | NDArray]
    """Reads the sound, or features (T, D) float32. Raises BadSound for a sound that cannot be used."""
    text: str | None
    """What is said, where that is known."""
    part: Any = None
    """What its file says of the part it belongs to."""


@dataclass(frozen=True)
class Speech:
    """Utterances: iterating reads their file anew. What is heard is read only where it is asked for."""

    name: str
    """The file as errors name it."""
    format: str
    """What it was taken for, in words."""
    read: Callable[[], Iterator[Utterance]]
    """Begins to read."""
    parts: bool = False
    """Whether each utterance says its part itself."""
    columns: tuple[str, ...] = ()
    """Those of a manifest."""
    width: int | None = None
    """Numbers a frame, where it holds features; None where it holds sounds."""

    def __iter__(self) -> Iterator[Utterance]:
        return self.read()
