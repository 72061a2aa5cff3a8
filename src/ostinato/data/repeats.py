"""The same item in two parts of a data set, which makes a test say less than it seems to."""

from __future__ import annotations

import hashlib
from array import array
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ostinato.data.place import Place
from ostinato.data.splitting import PARTS, Part

_EXAMPLES = 3
_NUMBER = 40  # bits for the number of an item in its file


class Repeat(NamedTuple):
    """An item that stands in two parts."""

    first: Place
    second: Place


class Overlap(NamedTuple):
    """What two parts have in common."""

    parts: tuple[Part, Part]
    """Which two: ("train", "test")."""
    count: int
    """How many items of the second are in the first too."""
    examples: tuple[Repeat, ...]
    """Three of them at most."""

    def __str__(self) -> str:
        first, second = self.parts
        items = f"{self.count} item" + "s" * (self.count != 1)
        named = "; ".join(f"{repeat.second} = {repeat.first}" for repeat in self.examples)
        return f"{items} of '{second}' " + ("are" if self.count != 1 else "is") + f" in '{first}' too ({named})"


class Repeats:
    """Finds the same item in two parts by 8 bytes of its hash, and 8 more of where it stands: no item is kept."""

    def __init__(self):
        self._hashes = {part: array("Q") for part in PARTS}
        self._places = {part: array("Q") for part in PARTS}
        self._files: dict[tuple[str, str], int] = {}

    def add(self, part: Part, item: str | bytes, place: Place) -> None:
        """Remember `item` as one of `part`."""
        content = item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item
        digest = hashlib.blake2b(content, digest_size=8).digest()
        file = self._files.setdefault((place.file, place.unit), len(self._files))
        self._hashes[part].append(int.from_bytes(digest, "little"))
        self._places[part].append(file << _NUMBER | place.number)

    def overlaps(self) -> list[Overlap]:
        """Return what each two parts have in common; pairs that have nothing are left out."""
        found = [self._overlap(first, second) for first, second in combinations(PARTS, 2)]
        return [overlap for overlap in found if overlap.count]

    def _overlap(self, first: Part, second: Part) -> Overlap:
        known, asked = (np.array(self._hashes[part], np.uint64) for part in (first, second))
        common = np.flatnonzero(np.isin(asked, known))
        examples = [
            Repeat(self._place(first, int(np.flatnonzero(known == asked[index])[0])), self._place(second, int(index)))
            for index in common[:_EXAMPLES]
        ]
        return Overlap((first, second), len(common), tuple(examples))

    def _place(self, part: Part, index: int) -> Place:
        packed = self._places[part][index]
        file, unit = list(self._files)[packed >> _NUMBER]
        return Place(file, packed & ((1 << _NUMBER) - 1), unit)
