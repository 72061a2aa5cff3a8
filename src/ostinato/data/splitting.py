"""Parts of a data set: to train on, to choose by, to report. Dealt in shares, or named in a column."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.place import Place

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "development": "valid",
    "test": "test",
    "testing": "test",
}


class Dealer:
    """Deals items to the parts one by one, so that each part has its share of every label, in bounded memory.

    Whatever the number n of a label's items, those of "valid" and "test" together are n·(valid + test) rounded
    up or down, and "test" has of those its own share rounded up or down; so whole shares are exact. Which items
    they are depends on `seed` and the label alone. The first item of a label is to train on.
    Raises ConfigError for shares below 0, or that leave nothing to train on.

    >>> dealer = Dealer(valid=0.25, seed=1)
    >>> sorted(dealer.part("good") for _ in range(8))
    ['train', 'train', 'train', 'train', 'train', 'train', 'valid', 'valid']
    """

    def __init__(self, valid: float, test: float = 0.0, *, seed: int = 0):
        validated, self._held_out = _shares(valid, test)
        self._tested = 1 - validated / self._held_out if self._held_out else Fraction(0)
        self._seed = seed
        self._pickers: dict[str | None, tuple[_Picker, _Picker]] = {}

    def part(self, label: str | None = None) -> Part:
        """Return the part of the next item, which has `label`; None to draw from all items alike."""
        if label not in self._pickers:
            key = f"{self._seed}/{'' if label is None else label}"
            self._pickers[label] = (_Picker(self._held_out, key, spare=1), _Picker(self._tested, key + "/test"))
        held_out, tested = self._pickers[label]
        if not held_out.pick():
            return "train"
        return "test" if tested.pick() else "valid"


class TextDealer:
    """Deals items to the parts by what they say: one that is met again goes where the first of it went.

    Which part that is depends on `seed` and the item alone, so nothing is kept; of many items, each part has about
    its share. Capital letters and the way Unicode composes a letter make no difference.
    Raises ConfigError for shares below 0, or that leave nothing to train on.

    >>> dealer = TextDealer(valid=0.5, seed=1)
    >>> dealer.part("Run!") == dealer.part("run!")
    True
    """

    def __init__(self, valid: float, test: float = 0.0, *, seed: int = 0):
        self._valid, self._held_out = _shares(valid, test)
        self._seed = seed

    def part(self, text: str) -> Part:
        """Return the part of an item that says `text`."""
        said = unicodedata.normalize("NFC", text).casefold()
        drawn = _drawn(f"{self._seed}/{said}")
        if drawn >= self._held_out:
            return "train"
        return "valid" if drawn < self._valid else "test"


class _Picker:
    """Picks a share p of what passes: one item out of each stretch of 1/p, at a place drawn from `key`."""

    __slots__ = ("_key", "_next", "_picked", "_seen", "_share", "_spare")

    def __init__(self, share: Fraction, key: str, spare: int = 0):
        self._share, self._key, self._spare = share, key, spare
        self._seen = self._picked = 0
        self._next = self._place(-1)

    def pick(self) -> bool:
        """Say whether the next item is picked."""
        here, self._seen = self._seen, self._seen + 1
        if here != self._next:
            return False
        self._picked += 1
        self._next = self._place(here)
        return True

    def _place(self, last: int) -> int:
        """Return where the next pick is; never at the place of the one before, nor among the first `spare`."""
        if not self._share:
            return -1
        drawn = _drawn(f"{self._key}/{self._picked}")
        return max(math.floor((self._picked + drawn) / self._share), last + 1, self._spare)


def parts_asked(validation: str, test: str | None) -> tuple[dict[str, float], dict[Part, str]]:
    """Return the shares of a file that go to "valid" and "test", and the files that are parts themselves.

    >>> parts_asked("0.1", "test.csv")
    ({'valid': 0.1, 'test': 0.0}, {'test': 'test.csv'})
    """
    shares: dict[str, float] = {"valid": 0.0, "test": 0.0}
    files: dict[Part, str] = {}
    given: tuple[tuple[Part, str | None], ...] = (("valid", validation), ("test", test))
    for part, asked in given:
        try:
            shares[part] = float(asked or 0)
        except ValueError:
            files[part] = str(asked)
    return shares, files


def part_named(value: Any, place: Place | str, column: str) -> Part:
    """Return the part that `value` of a column names: train, valid (dev, val, validation) or test."""
    part = _NAMES.get(str(value).strip().lower())
    if part is None:
        possible = f"Possible: {', '.join(_NAMES)}"
        advice = did_you_mean(str(value).lower(), _NAMES) or "Correct it, or name another column"
        raise DataError(str(place), f"{value!r} in column '{column}' names no part", possible, advice)
    return part


BY_LABEL = "the first item of a label is to train on"
BY_CONTENT = "all that is the same goes to one part, drawn by chance"


def check_parts(counts: Mapping[Part, int], where: str, advice: str = "", *, dealt: str = BY_LABEL) -> None:
    """Raise DataError where one of the parts that are asked for has no item; `dealt` says how parts came to be."""
    empty = [part for part, count in counts.items() if not count]
    if empty:
        held = ", ".join(f"{count} in '{part}'" for part, count in counts.items())
        possible = f"Items: {held}; each part needs one at least, and {dealt}"
        raise DataError(
            where, f"no item in the part '{empty[0]}'", possible, advice or "Use more items, or other shares"
        )


def check_classes(counts: Mapping[str, int], where: str) -> None:
    """Raise DataError where the items to train on have fewer than two classes."""
    if len(counts) < 2:
        held = ", ".join(f"{count} of '{label}'" for label, count in counts.items()) or "none"
        possible = f"Items to train on: {held}; a classifier needs two classes at least"
        advice = "Check which column holds the labels, and how the parts are split"
        raise DataError(where, "one class only" if counts else "no class at all", possible, advice)


def _drawn(key: str) -> Fraction:
    """Return a number from 0 to below 1 that follows from `key` alone."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Fraction(int.from_bytes(digest, "little"), 1 << 64)


def _shares(valid: float, test: float) -> tuple[Fraction, Fraction]:
    """Return the share of validation, and of validation and test together."""
    validated, tested = _share("validation", valid), _share("test", test)
    if validated + tested >= 1:
        got = f"{valid} for validation and {test} for test"
        raise ConfigError("validation", got, "Together they are less than 1", "0.1 holds out a tenth")
    return validated, validated + tested


def _share(name: str, value: float) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ConfigError(name, f"{value!r}", "Possible: a share from 0 to below 1", "0.1 holds out a tenth")
    return Fraction(str(value))
