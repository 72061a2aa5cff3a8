"""Tables of text: CSV, TSV and their like, by the `csv` of the standard library, which knows its line numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from ostinato._errors import ConfigError, DataError
from ostinato.data.place import Place
from ostinato.data.rows.dialect import Dialect, dialect_of
from ostinato.data.rows.row import Row, Rows, beginning, distinct
from ostinato.data.rows.source import Source, first_lines, lines_of

LONGEST_RECORD = 1 << 24  # characters: a quote that is never closed must not swallow a file
_ROW_ID = "row id"


def delimited_rows(source: Source, encoding: str, delimiter: str | None, header: bool | None) -> Rows:
    """Read a table whose fields are separated; what is None is told from its first lines.

    Blank lines are no rows. Raises DataError for a row that is wider or narrower than the first one, a quote
    that is never closed and text after a closing quote, each with its line.
    """
    lines = first_lines(source, encoding)
    dialect = dialect_of(lines, _checked(delimiter), header)
    columns = _columns(lines, source.name, dialect)
    if not columns:
        raise DataError(source.name, "no field in it", "A table has a header or a row", "Check how it was made")

    def read() -> Iterator[Row]:
        return _rows(lines_of(source, encoding), source.name, dialect, columns)

    first = beginning(_rows(enumerate(lines, 1), source.name, dialect, columns))
    return Rows(source.name, _words(dialect, columns), columns, read, first)


def _checked(delimiter: str | None) -> str | None:
    if delimiter in ("tab", "\\t"):
        return "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        possible = "Possible: one character, such as , ; | or tab"
        raise ConfigError("delimiter", f"{delimiter!r} cannot separate fields", possible)
    return delimiter


def _columns(lines: list[str], name: str, dialect: Dialect) -> tuple[str, ...]:
    """Name the columns: as the header does, "column 3" where it has no name, "a (2)" for the second "a"."""
    for _, fields in _records(enumerate(lines, 1), name, dialect):
        titles = fields if dialect.header else [""] * len(fields)
        named = [title.strip() or f"column {number}" for number, title in enumerate(titles, 1)]
        return distinct([_ROW_ID, *named] if dialect.extra == "row id" else named)
    return ()


def _words(dialect: Dialect, columns: tuple[str, ...]) -> str:
    kind = {",": "CSV", "\t": "TSV"}.get(dialect.delimiter, f"CSV, separated by '{dialect.delimiter}',")
    named = len(columns) - (dialect.extra == "row id")
    width = f"{named} column" + "s" * (named != 1)
    extra = {"": "", "row id": " and an unnamed row id first in each row", "end": " and a separator at each row's end"}
    return (
        f"{kind} with a header of {width}{extra[dialect.extra]}" if dialect.header else f"{kind} of {width}, no header"
    )


def _rows(lines: Iterable[tuple[int, str]], name: str, dialect: Dialect, columns: tuple[str, ...]) -> Iterator[Row]:
    records = _records(lines, name, dialect)
    if dialect.header:
        next(records, None)
    for line, fields in records:
        if dialect.extra == "end" and len(fields) == len(columns) + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != len(columns):
            raise _ragged(Place(name, line), len(fields), columns, dialect)
        yield Row(Place(name, line), dict(zip(columns, fields, strict=True)))


def _records(lines: Iterable[tuple[int, str]], name: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Give the fields of each record with the line it begins at; DataError where one is damaged."""
    guarded = _Guarded(lines, name)
    # The limit of the module is one for the whole process and 131,072 characters, which a long text exceeds.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    quoting = csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE
    reader = csv.reader(guarded, delimiter=dialect.delimiter, quoting=quoting, strict=True)
    while True:
        guarded.begin()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise _damaged(Place(name, guarded.line), str(error), guarded.last) from None
        if fields is None:
            return
        if fields:
            yield guarded.line, fields


class _Guarded:
    """Lines as `csv` takes them, which remembers where a record begins and refuses one without end."""

    def __init__(self, lines: Iterable[tuple[int, str]], name: str):
        self._lines, self._name = iter(lines), name
        self.line = self.last = self._length = 0

    def begin(self) -> None:
        self.line, self._length = self.last + 1, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last, line = next(self._lines)
        self._length += len(line) + 1
        if self._length > LONGEST_RECORD:
            raise _damaged(Place(self._name, self.line), "unexpected end", self.last)
        return line + "\n"


def _damaged(place: Place, reason: str, last: int) -> DataError:
    if reason.startswith("unexpected end"):
        got = f"a quote that is opened here is not closed up to line {last}"
        possible = 'A field in quotes ends with a quote; a quote within it is written twice: "a 5"" pipe"'
        return DataError(str(place), got, possible, "Close it, or double it")
    if reason.startswith("new-line"):
        got, possible = "a carriage return that ends no line", 'Lines end with "\\n" or "\\r\\n"'
        return DataError(str(place), got, possible, "Convert old line ends, for instance with tr '\\r' '\\n'")
    if "expected after" in reason:
        got, possible = "text after a closing quote", 'Within quotes a quote is written twice: "a ""word"" of it"'
        return DataError(str(place), got, possible, "Double the quotes within the field")
    return DataError(str(place), f"not a row of a table ({reason})", "", "Correct or remove the line")


def _ragged(place: Place, width: int, columns: tuple[str, ...], dialect: Dialect) -> DataError:
    reference = "the header" if dialect.header else "the first row"
    got = f"{width} field" + "s" * (width != 1) + f", where {reference} has {len(columns)}"
    possible = f"Columns: {', '.join(repr(name) for name in columns)}"
    if width < len(columns):
        return DataError(str(place), got, possible, "Add what is missing, or remove the line")
    if dialect.quoted:
        return DataError(str(place), got, possible, f"Put a field that holds {dialect.delimiter!r} in quotes")
    return DataError(str(place), got, possible, "Remove what is too much")
