"""Pairs in columns of a table: CSV, TSV, JSONL, Parquet, or a data set of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ostinato._errors import DataError
from ostinato.data.objects import json_type
from ostinato.data.pairs.pair import Kind, Pair, Pairs
from ostinato.data.rows.names import NAMES, Purpose, is_a_usual_name
from ostinato.data.rows.row import Row, Rows, no_column
from ostinato.data.units import Side

_SEVERAL = ("targets", "references")
"""Columns whose lists are several targets, not one that is cut into symbols."""
_NO_HEADER = "no header"


def table_pairs(rows: Rows, kind: Kind, source: str | None, target: str | None, *, paired: bool) -> Pairs:
    """Read the columns `source` and `target`; None to choose: by their usual names, else the first two of a table.

    A list of texts is a side cut into symbols; one in a column "targets" or "references" is several targets. Of a
    column of objects, as translations of the Hub are, each key is a column: "translation.en".
    Without `paired` a table may have no target. Raises DataError for a column that is missing or cannot be chosen.
    """
    rows = _without_objects(rows)
    first = _column(rows, source, "source", taken=target)
    second = _target(rows, target, first, paired)
    cut = [_holds_symbols(rows, column) for column in (first, second)]
    units = ("symbols" if cut[0] else "word", "symbols" if cut[1] else "word")
    words = f"{rows.format}; '{first}' becomes '{second}'" if second else f"{rows.format}; sources in '{first}'"
    return Pairs(rows.name, kind, words, units, lambda: _pairs(rows, first, second))


def names_sides(fields: tuple[str, ...], asked: tuple[str | None, str | None]) -> bool:
    """Say whether the first row of a table names columns of pairs: one that is asked for, or a usual name."""
    return any(field in asked or is_a_usual_name(field, ("source", "target")) for field in fields)


def _without_objects(rows: Rows) -> Rows:
    """Return rows in which the keys of objects are columns, where the first rows hold objects."""
    keys: dict[str, dict[str, None]] = {}
    for name, value in (entry for row in rows.first for entry in row.values.items()):
        if isinstance(value, dict):
            keys.setdefault(name, {}).update(dict.fromkeys(map(str, value)))
    if not keys:
        return rows
    columns = [[f"{name}.{key}" for key in keys[name]] if name in keys else [name] for name in rows.columns]
    first = tuple(_flat(row, keys) for row in rows.first)
    flat = (name for names in columns for name in names)
    return Rows(rows.name, rows.format, tuple(flat), lambda: (_flat(row, keys) for row in rows), first)


def _flat(row: Row, keys: Mapping[str, Iterable[str]]) -> Row:
    values: dict[str, Any] = {}
    for name, value in row.values.items():
        if name not in keys:
            values[name] = value
        elif value is None or isinstance(value, dict):
            values |= {f"{name}.{key}": (value or {}).get(key) for key in keys[name]}
    return Row(row.place, values)


def _column(rows: Rows, asked: str | None, purpose: Purpose, taken: str | None) -> str:
    if asked is not None:
        if asked not in rows.columns:
            raise no_column(rows.name, asked, list(rows.columns), f"Name it with --{purpose}-column")
        return asked
    free = [column for column in rows.columns if column != taken]
    named = {column.strip().lower(): column for column in reversed(free)}
    usual = [named[name] for name in NAMES[purpose] if name in named]
    if usual:
        return usual[0]
    if free and (len(rows.columns) <= 2 or _NO_HEADER in rows.format):
        return free[0]
    possible = f"Columns: {', '.join(map(repr, rows.columns))}"
    advice = f"Name one with --{purpose}-column" if free else "Give the targets in a file of their own, or a column"
    raise DataError(rows.name, f"no column is known to be the {purpose}", possible, advice)


def _target(rows: Rows, asked: str | None, source: str, paired: bool) -> str | None:
    if paired or asked in rows.columns:
        return _column(rows, asked, "target", taken=source)
    named = {column.strip().lower(): column for column in rows.columns if column != source}
    return next((named[name] for name in NAMES["target"] if name in named), None)


def _holds_symbols(rows: Rows, column: str | None) -> bool:
    held = [row.values.get(column) for row in rows.first] if column is not None else []
    return any(isinstance(value, (list, tuple)) for value in held) and (column or "").lower() not in _SEVERAL


def _pairs(rows: Rows, source: str, target: str | None) -> Iterator[Pair]:
    for row in rows:
        yield Pair(row.place, _side(row, source, row.value(source)), _targets(row, target))


def _targets(row: Row, column: str | None) -> tuple[Side, ...]:
    if column is None:
        return ()
    value = row.value(column)
    several = isinstance(value, (list, tuple)) and column.strip().lower() in _SEVERAL
    sides = [_side(row, column, one) for one in (value if several else [value])]
    return tuple(side for side in sides if side)


def _side(row: Row, column: str, value: Any) -> Side:
    if isinstance(value, (list, tuple)):
        if all(isinstance(symbol, str) for symbol in value):
            return tuple(value)
        got, possible = f"'{column}' holds {value!r:.60}", "A list holds texts: the symbols of a side"
        raise DataError(str(row.place), got, possible, "Correct the row")
    if isinstance(value, (dict, bytes)):
        got = f"'{column}' holds " + ("bytes" if isinstance(value, bytes) else json_type(value))
        raise DataError(str(row.place), got, "A side is a text or a list of texts", "Name another column")
    return "" if value is None else str(value).strip()
