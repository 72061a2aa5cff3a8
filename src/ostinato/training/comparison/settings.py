"""The settings in which runs differ, and tables of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ostinato.training.comparison.runs import ReadRun

LONGEST = 32
"""Characters of a value that are shown."""
Rows = Sequence[Sequence[str]]


def differing(runs: Sequence[ReadRun]) -> dict[str, list[str]]:
    """Return each setting in which the runs differ: name → its value in each run, in words."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    apart = {name: of for name, of in values.items() if any(v != of[0] for v in of)}
    return {name: [shown(value) for value in of] for name, of in apart.items()}


def shown(value: Any) -> str:
    """Return a value as a table shows it: on one line, not too long.

    >>> shown(0.30000000000000004), shown(None), shown({"leak": 0.25})
    ('0.3', '-', 'leak 0.25')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None:
        return "-"
    if isinstance(value, dict):
        value = ", ".join(f"{k} {v}" for k, v in value.items()) or "-"
    line = "; ".join(part.strip() for part in str(value).splitlines() if part.strip())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def blocks(labels: Sequence[str], headings: Sequence[str], rows: Rows, columns: int) -> list[str]:
    """Return the lines of a table whose columns are parted, where they are too many, into blocks below each other.

    `labels` stand before each row in every block.
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    margin = max(map(len, labels), default=0)
    lines: list[str] = []
    for chosen in _fitting(widths, columns - margin):
        if lines:
            lines.append("")
        for label, row in zip(["", *labels], [headings, *rows], strict=True):
            cells = (_aligned(row[i], widths[i], [other[i] for other in rows]) for i in chosen)
            lines.append("".join([label.ljust(margin), *(f"  {cell}" for cell in cells)]).rstrip())
    return lines


def _fitting(widths: Sequence[int], room: int) -> Iterable[list[int]]:
    """Yield the numbers of the columns that stand beside each other in `room` characters, at least one each time."""
    chosen: list[int] = []
    used = 0
    for index, width in enumerate(widths):
        if chosen and used + width + 2 > room:
            yield chosen
            chosen, used = [], 0
        chosen, used = [*chosen, index], used + width + 2
    if chosen:
        yield chosen


def _aligned(text: str, width: int, column: Iterable[str]) -> str:
    """Return words to the left, and a column of numbers to the right."""
    return text.rjust(width) if all(cell[:1] in "-0123456789" for cell in column) else text.ljust(width)
