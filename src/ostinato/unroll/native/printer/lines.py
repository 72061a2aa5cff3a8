"""Lines of C++: indented, and broken where they would be too long."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 120


def indent(lines: Iterable[str], by: str = "  ") -> list[str]:
    """Return lines further in."""
    return [f"{by}{line}" if line else "" for line in lines]


def block(head: str, lines: Iterable[str]) -> list[str]:
    """Return lines in braces after a head."""
    return [f"{head} {{", *indent(lines), "}"]


def comment(text: str) -> list[str]:
    """Return a comment above what it is about."""
    return textwrap.wrap(text, WIDTH - 16, initial_indent="// ", subsequent_indent="//     ")


def noted(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return (line, note) pairs: notes side by side behind the lines where they fit, else above."""
    pairs = list(lines)
    column = min(max((len(line) for line, _ in pairs), default=0), 32)
    found = []
    for line, note in pairs:
        whole = f"{line:<{column}}  // {note}".rstrip(" /")
        found += [whole] if len(whole) <= WIDTH - 4 else [*comment(note), line]
    return found


def plus(pointer: str, *terms: str | int) -> str:
    """Return a pointer further on, terms that are nothing left out."""
    return " + ".join([pointer, *(str(term) for term in terms if term not in (0, ""))])


def times(factor: str, number: int) -> str:
    """Return a product that is to be added to a pointer."""
    return factor if number == 1 else f"{factor} * {number}"
