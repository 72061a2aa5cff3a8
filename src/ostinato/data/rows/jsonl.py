"""JSON lines: every line an object, its keys the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ostinato._errors import DataError
from ostinato.data.objects import json_object
from ostinato.data.place import Place
from ostinato.data.rows.row import Row, Rows, beginning
from ostinato.data.rows.source import Source, first_lines, lines_of

_EXAMPLE = '{"text": "…", "label": "…"}'


def jsonl_rows(source: Source, encoding: str) -> Rows:
    """Read objects one a line; blank lines are none. Raises DataError for a line that is no object.

    The columns are the keys of the first rows; a later row may lack some, and have others.
    """
    lines = first_lines(source, encoding)
    first = beginning(_rows(enumerate(lines, 1), source.name))
    columns = tuple(dict.fromkeys(key for row in first for key in row.values))
    if not columns:
        _refuse_first(lines, source.name)

    def read() -> Iterator[Row]:
        return _rows(lines_of(source, encoding), source.name)

    words = f"JSONL with {len(columns)} key" + "s" * (len(columns) != 1)
    return Rows(source.name, words, columns, read, first)


def _rows(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Row]:
    for number, line in lines:
        if line.strip():
            place = Place(name, number)
            yield Row(place, json_object(line, str(place), _EXAMPLE))


def _refuse_first(lines: list[str], name: str) -> None:
    for row in _rows(enumerate(lines, 1), name):  # raises at the line that is damaged
        raise DataError(str(row.place), "an object without keys", f"A line reads {_EXAMPLE}", "Check how it was made")
    raise DataError(name, "only blank lines", f"A line reads {_EXAMPLE}", "Check how it was made")
