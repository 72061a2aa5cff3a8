"""Symbols of what is learned from that a vocabulary left out, said where they are many."""

from __future__ import annotations

from collections.abc import Iterable

from numpy.typing import NDArray

from ostinato.data.units import Units

MANY = 0.1
"""Share of unknown symbols from which it is said."""
NAMES = {"char": "characters", "word": "words"}


def unknown_lines(what: str, encoded: Iterable[NDArray], units: Units, **settings: int | None) -> list[str]:
    """Return a line where many symbols of `encoded`, each (T,), are unknown; `settings` decide which are known.

    >>> units = Units.learn("word", ["a a b c"], least=2)
    >>> unknown_lines("targets", [units.encode("a a b c")], units, least=2)
    ['2 of 4 words of targets are unknown, 1 known (--least 2)']
    """
    if units.unknown is None:
        return []
    every = unknown = 0
    for symbols in encoded:
        every += int((symbols != units.boundary).sum())
        unknown += int((symbols == units.unknown).sum())
    if not unknown or unknown < MANY * every:
        return []
    names = NAMES.get(units.kind, "symbols")
    flags = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items() if value is not None)
    known = units.size - 2  # the boundary and the unknown are none
    return [f"{unknown:,} of {every:,} {names} of {what} are unknown, {known:,} known ({flags})"]
