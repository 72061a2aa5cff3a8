"""What a report is made of: sections, each with pictures and a sentence under each that says what it means here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A drawing, and what it says of this model."""

    name: str
    """Stem of its files, as gradient-flow."""
    svg: str
    """For the page: words are text, and ink takes the colour of the page's."""
    png: bytes | None
    """For a file; None where the SVG is one."""
    alt: str
    """What is to be seen, for who cannot see it."""
    caption: str
    """What it means for this model, in a sentence or two."""
    is_wide: bool = False
    """Whether it keeps about its own size and is moved from side to side, rather than made as small as the page is."""


@dataclass(frozen=True)
class Section:
    """One question about a model, and its answer."""

    title: str
    question: str
    """What the section is about, in a sentence for who has never heard of it."""
    pictures: tuple[Picture, ...] = ()
    markup: str = ""
    """Further HTML below the pictures, made by this library alone: every text of a user is escaped in it."""
    data: dict[str, Any] = field(default_factory=dict)
    """The numbers, for a JSON file."""
    summary: str = ""
    """What was found, in a sentence or two that stand at the top of the page; "" where nothing was."""

    @property
    def anchor(self) -> str:
        """The name of the section in links and file names."""
        return self.title.lower().replace(" ", "-")


def known(value: float) -> float | None:
    """Return a number as JSON may hold it: None where it is not finite."""
    return value if math.isfinite(value) else None


def all_known(values: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON may hold them."""
    return [known(float(value)) for value in values]
