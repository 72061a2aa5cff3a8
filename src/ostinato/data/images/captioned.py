"""What is captioned: an image, a matrix of regions or a vector, with what is said of it; and sets of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from numpy.typing import NDArray

from ostinato.data.place import Place

ContextKind = Literal["image", "regions", "vector"]
"""What is read: (S, S, 3) uint8, (R, D) float32 or (D,) float32."""
Skip = Callable[[str, object], None]
"""Counts what is left out: a reason, "that cannot be read as an image", and the place."""


class Captioned(NamedTuple):
    """One item: what is seen, what is asked, what is said."""

    place: Place
    """Where it stands; as text "captions.csv, line 12"."""
    name: str
    """What it is called: the file of an image, a colour; two items may have one name."""
    context: NDArray
    """An image (S, S, 3) of bytes, regions (R, D) or a vector (D,) of finite float32."""
    question: str | None
    """What is asked of it; None where nothing is."""
    captions: tuple[str, ...]
    """What is said of it, every one as good; none where the file has none."""


@dataclass(frozen=True)
class CaptionedSet:
    """Items of a file, a folder or a generated world: iterating reads them anew, one by one.

    Iterating raises DataError, naming the item, for what cannot be read.
    """

    name: str
    """The source as errors name it."""
    format: str
    """What it was taken for, in words."""
    kind: ContextKind
    """What is read of an item."""
    has_questions: bool
    """Whether something is asked of each item."""
    read: Callable[[], Iterator[Captioned]]
    """Begins to read the items."""

    def __iter__(self) -> Iterator[Captioned]:
        return self.read()
