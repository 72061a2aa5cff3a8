"""Tells how a table of text is written: what separates its fields, whether they are quoted, whether it has a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import Literal, NamedTuple

from ostinato.data.rows.names import is_a_usual_name

_DELIMITERS = "\t;|,"  # in this order where several fit: decimal commas are many, semicolons are meant
_LINES = 200  # how many lines are looked at
_NAME = re.compile(r"[^\W\d][\w.\-/#()%° ]{0,39}")


class Dialect(NamedTuple):
    """How the lines of a table are read."""

    delimiter: str
    quoted: bool
    """Whether a quote opens a field; in a table with tabs it often is a character as any other."""
    header: bool
    extra: Literal["", "row id", "end"]
    """Rows with one field more than the header: an unnamed row id first, or a separator at the end."""


def dialect_of(lines: list[str], delimiter: str | None, header: bool | None) -> Dialect:
    """Tell the dialect of a table from its first `lines`; what is given is not guessed."""
    lines = lines[:_LINES]
    delimiter = delimiter or _best_delimiter(lines)
    records, quoted = _records(lines, delimiter)
    header = _has_header(records) if header is None else header
    return Dialect(delimiter, quoted, header, _extra(records) if header else "")


def separates(lines: list[str]) -> bool:
    """Say whether some delimiter cuts all of `lines` into equally many fields, two at least."""
    lines = lines[:_LINES]
    return len(lines) > 1 and any(_evenness(lines, delimiter) == 1.0 for delimiter in _DELIMITERS)


def _best_delimiter(lines: list[str]) -> str:
    best = max(_DELIMITERS, key=lambda delimiter: _evenness(lines, delimiter))
    return best if _evenness(lines, best) > 0 else ","


def _evenness(lines: list[str], delimiter: str) -> float:
    """Return the share of records that are as wide as most are; 0 where that is one field."""
    widths = [len(record) for record in _records(lines, delimiter)[0]]
    if not widths:
        return 0.0
    usual = Counter(widths[1:] or widths).most_common(1)[0][0]
    even = sum(width == usual for width in widths[1:]) + (widths[0] in (usual, usual - 1))
    return even / len(widths) if usual > 1 and widths[0] > 1 else 0.0


def _records(lines: list[str], delimiter: str) -> tuple[list[list[str]], bool]:
    """Return the records of `lines` and whether fields are quoted in them."""
    quoted, well_formed = _parsed(lines, delimiter, csv.QUOTE_MINIMAL)
    if delimiter != "\t":
        return quoted, True
    plain, _ = _parsed(lines, delimiter, csv.QUOTE_NONE)
    even = len({len(record) for record in quoted[1:]}) <= 1
    return (quoted, True) if well_formed and even and quoted != plain else (plain, False)


def _parsed(lines: list[str], delimiter: str, quoting: int) -> tuple[list[list[str]], bool]:
    records = []
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, quoting=quoting, strict=True)  # pyright: ignore[reportArgumentType]
    while True:
        try:
            record = next(reader, None)
        except csv.Error:  # reading names the line; what came before it tells enough
            return records, False
        if record is None:
            return records, True
        if record:
            records.append(record)


def _has_header(records: list[list[str]]) -> bool:
    """Say whether the first record names columns: known names, or words above numbers, or words that never recur."""
    if not records:
        return False
    first, rest = records[0], records[1:]
    if not first[0] and len(first) > 1 and any(row[0] for row in rest):
        return True  # a column of row ids without a name, as pandas writes it
    if any(_is_number(field) for field in first):
        return False
    if any(is_a_usual_name(field) for field in first):
        return True
    columns = list(zip(*[row for row in rest if len(row) == len(first)], strict=True))
    if any(all(map(_is_number, column)) for column in columns):
        return True
    recurs = any(field in column for field, column in zip(first, columns, strict=False))
    return not recurs and all(_NAME.fullmatch(field.strip()) for field in first) and bool(rest)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _extra(records: list[list[str]]) -> Literal["", "row id", "end"]:
    if len(records) < 2 or any(len(row) != len(records[0]) + 1 for row in records[1:]):
        return ""
    return "row id" if any(row[-1] for row in records[1:]) else "end"
