"""Tables of results: printed row by row while they are measured, or as Markdown from what was saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import Timing

Row = dict[str, Any]
"""What is saved of one row: plain data, from which every column is read."""


@dataclass(frozen=True)
class Column:
    """A heading, the width in print (left-aligned where negative), and a row's text; "" where the row has none."""

    heading: str
    width: int
    text: Callable[[Row], str]


@dataclass(frozen=True)
class Table:
    """Columns, what the table shows, and the rows that sum it up, made from the others."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    summary: Callable[[Sequence[Row]], list[Row]] = lambda rows: []


def show(table: Table, rows: Iterable[Row]) -> list[Row]:
    """Print a table while its rows are made; return them, without the summary."""
    print(_line(table, [c.heading for c in table.columns]))
    kept = []
    for row in rows:
        kept.append(row)
        print(_line(table, _cells(table, row)), flush=True)
    for row in table.summary(kept):
        print(_line(table, _cells(table, row)))
    return kept


def markdown(table: Table, rows: Sequence[Row]) -> str:
    """Return the table as Markdown, the summary at its foot."""
    head = [c.heading for c in table.columns]
    rule = [":--" if c.width < 0 else "--:" for c in table.columns]
    body = [_cells(table, row) for row in (*rows, *table.summary(rows))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def _cells(table: Table, row: Row) -> list[str]:
    return [column.text(row) for column in table.columns]


def _line(table: Table, cells: Sequence[str]) -> str:
    padded = [
        text.ljust(-column.width) if column.width < 0 else text.rjust(column.width)
        for column, text in zip(table.columns, cells, strict=True)
    ]
    return "  ".join(padded).rstrip()


def plain(heading: str, width: int, key: str) -> Column:
    """Return a column of what a row says under `key`."""
    return Column(heading, width, lambda row: str(row.get(key, "")))


def size(width: int = -14) -> Column:
    """Return the column of a problem's size."""
    return Column("B, T, H", width, lambda row: ", ".join(map(str, row.get("size", ()))) or row.get("over", ""))


def milliseconds(heading: str, *names: str) -> Column:
    """Return a column of the shortest of these contenders' medians."""

    def text(row: Row) -> str:
        taken = best(row, *names)
        return "" if taken is None else f"{taken * 1e3:.2f}"

    return Column(heading, max(8, len(heading)), text)


def ratio(heading: str, name: str) -> Column:
    """Return a column of one of a row's ratios."""
    return Column(
        heading,
        max(7, len(heading)),
        lambda row: f"{row['ratios'][name]:.2f}" if name in row.get("ratios", {}) else "",
    )


def gigaflops(heading: str, name: str) -> Column:
    """Return a column of GFLOP/s: three times the products of a forward, 2 B T H H operations each."""

    def text(row: Row) -> str:
        if name not in row.get("seconds", {}):
            return ""
        batch, steps, hidden = row["size"]
        return f"{6 * row['products'] * batch * steps * hidden**2 / row['seconds'][name] / 1e9:.0f}"

    return Column(heading, max(7, len(heading)), text)


def spread(name: str) -> Column:
    """Return the column of how wide the middle half of a contender's runs is, as a share of its median."""
    return Column("spread", 6, lambda row: f"{row['spread'][name]:.0%}" if name in row.get("spread", {}) else "")


def best(row: Row, *names: str) -> float | None:
    """Return the shortest of these contenders' medians, None where none was measured."""
    return min((row["seconds"][n] for n in names if n in row.get("seconds", {})), default=None)


def times(taken: dict[str, Timing]) -> Row:
    """Return what a row saves of the contenders' times."""
    return {
        "seconds": {name: one.median for name, one in taken.items()},
        "spread": {name: round(one.spread, 3) for name, one in taken.items()},
        "runs": {name: one.runs for name, one in taken.items()},
    }


def at_least(what: str, reached: float, bound: float) -> Row:
    """Return a target that is met from `bound` on."""
    return {"what": what, "reached": reached, "at_least": bound}


def at_most(what: str, reached: float, bound: float) -> Row:
    """Return a target that is met up to `bound`."""
    return {"what": what, "reached": reached, "at_most": bound}


def _verdict(row: Row) -> str:
    targets = row.get("targets", [])
    missed = [_miss(target) for target in targets if not _is_met(target)]
    return f"missed: {'; '.join(missed)}" if missed else ("met" if targets else "")


def _is_met(target: Row) -> bool:
    return target.get("at_least", -math.inf) <= target["reached"] <= target.get("at_most", math.inf)


def _miss(target: Row) -> str:
    reached = target["reached"]
    if "at_least" in target:
        bound = target["at_least"]
        return f"{target['what']} {reached:.2f} of {bound:g}, {1 - reached / bound:.0%} short"
    bound = target["at_most"]
    return f"{target['what']} {reached:.2f} of at most {bound:g}, {reached / bound - 1:.0%} over"


VERDICT = Column("target", -6, _verdict)


def geometric_means(rows: Sequence[Row], **label: str) -> Row:
    """Return a row of the geometric means of the ratios that all these rows have."""
    shared = set.intersection(*(set(row["ratios"]) for row in rows))
    means = {name: math.exp(sum(math.log(row["ratios"][name]) for row in rows) / len(rows)) for name in sorted(shared)}
    return {**label, "over": "geometric mean", "ratios": means}
