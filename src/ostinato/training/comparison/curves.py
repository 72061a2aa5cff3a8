"""Curves as text: each run's letter on a grid, so that a pipe shows what a terminal shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ostinato.training.comparison.runs import Point

HEIGHT = 15
NARROWEST = 20
"""Columns of the grid at least, in a terminal that has fewer."""
STEPS = (1, 2, 5, 10)
"""What a round distance between two marks begins with."""


def plot(curves: Mapping[str, Sequence[Point]], columns: int, log: bool = False) -> list[str]:
    """Return the lines of a plot, `columns` wide; the keys of `curves` are the letters drawn, the first on top.

    A curve is drawn straight from point to point. With `log`, the vertical axis is logarithmic: values above zero only.
    """
    kept = {key: [(x, _scaled(y, log)) for x, y in points if not log or y > 0] for key, points in curves.items()}
    kept = {key: of for key, of in kept.items() if of}
    points = [point for of in kept.values() for point in of]
    if not points:
        return ["nothing above zero, where a logarithm begins"]
    (left, right), (low, high) = (_span([p[i] for p in points]) for i in (0, 1))
    marks = _round_values_of_logarithms(low, high, 5) if log else _round_values(low, high, 5)
    texts = {round((HEIGHT - 1) * (high - _scaled(v, log)) / (high - low)): f"{v:.4g}" for v in marks}
    margin = max(map(len, texts.values()), default=0)
    width = max(NARROWEST, columns - margin - 2)
    grid = [[" "] * width for _ in range(HEIGHT)]
    for letter, of in reversed(kept.items()):
        _draw(grid, letter, of, (left, right), (low, high))
    edges = [f"{texts.get(row, ''):>{margin}} {'┤' if row in texts else '│'}" for row in range(HEIGHT)]
    lines = [edge + "".join(cells).rstrip() for edge, cells in zip(edges, grid, strict=True)]
    return [*lines, *_foot(margin, width, (left, right))]


def _draw(grid: list[list[str]], letter: str, points: Sequence[Point], across: Point, upright: Point) -> None:
    """Put the letter in each column the curve passes, and in the rows between two columns where it is steep."""
    width, height = len(grid[0]) - 1, len(grid) - 1

    def place(value: float, span: Point, cells: int) -> float:
        return cells * (value - span[0]) / (span[1] - span[0])

    placed = [(place(x, across, width), height - place(y, upright, height)) for x, y in sorted(points)]
    before: int | None = None
    for column in range(round(placed[0][0]), round(placed[-1][0]) + 1):
        row = round(_between(placed, column))
        for passed in _passed(before, row):
            grid[passed][column] = letter
        before = row


def _passed(before: int | None, row: int) -> range:
    """Return the rows from that of the column before, which is left out, to `row`."""
    if before is None or before == row:
        return range(row, row + 1)
    return range(before + 1, row + 1) if row > before else range(row, before)


def _between(points: Sequence[Point], x: float) -> float:
    """Return the height at `x` of straight lines between the points; beyond the ends, that of the end."""
    later = next((i for i, point in enumerate(points) if point[0] >= x), len(points))
    if later in (0, len(points)):
        return points[min(later, len(points) - 1)][1]
    (x0, y0), (x1, y1) = points[later - 1], points[later]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _foot(margin: int, width: int, across: Point) -> list[str]:
    """Return the line below the grid, and the numbers under it."""
    (left, right), line, numbers = across, ["─"] * width, [" "] * width
    for value in _round_values(left, right, 4):
        column, text = round((width - 1) * (value - left) / (right - left)), f"{value:,.6g}"
        begin = max(0, min(column - len(text) // 2, width - len(text)))
        if not "".join(numbers[max(0, begin - 1) : begin + len(text) + 1]).strip():
            line[column] = "┬"
            numbers[begin : begin + len(text)] = text
    return [" " * margin + " └" + "".join(line), " " * (margin + 2) + "".join(numbers).rstrip()]


def _round_values(low: float, high: float, parts: int) -> list[float]:
    """Return about `parts` round numbers from `low` to `high`.

    >>> _round_values(0.3, 2.6, 4)
    [0.5, 1.0, 1.5, 2.0, 2.5]
    """
    raw = (high - low) / parts
    scale = 10.0 ** math.floor(math.log10(raw))
    distance = scale * min(STEPS, key=lambda step: abs(step * scale - raw))
    first, last = math.ceil(low / distance - 1e-9), math.floor(high / distance + 1e-9)
    return [index * distance for index in range(first, last + 1)]


def _round_values_of_logarithms(low: float, high: float, most: int) -> list[float]:
    """Return powers of ten from 10^`low` to 10^`high`, with twice and five times these where they are few.

    >>> _round_values_of_logarithms(-1.5, 0.1, 5)
    [0.05, 0.1, 0.2, 0.5, 1.0]
    """
    powers = range(math.floor(low), math.ceil(high) + 1)
    for beginnings in ((1, 2, 5), (1,)):
        values = [float(f"{digit}e{power}") for power in powers for digit in beginnings]
        values = [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        if len(values) <= most:
            break
    return values[:: math.ceil(len(values) / most)] if len(values) > 1 else _round_values(10**low, 10**high, most)


def _span(values: Sequence[float]) -> Point:
    low, high = min(values), max(values)
    if high > low:
        return low, high
    return low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)


def _scaled(value: float, log: bool) -> float:
    return math.log10(value) if log else value
