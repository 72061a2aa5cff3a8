"""Rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ostinato._errors import DataError
from ostinato.data.parquet import parquet_columns, parquet_schema
from ostinato.data.place import Place
from ostinato.data.rows.row import Row, Rows, beginning, distinct
from ostinato.data.rows.source import File, Source


def parquet_rows(source: Source) -> Rows:
    """Read a Parquet file; DataError where it is none, is damaged, or has no column, and for a stream."""
    if not isinstance(source, File):
        possible = "Its columns are found from its end, so Parquet is read from a file"
        raise DataError(source.name, "Parquet in a stream", possible, "Write it to a file first")
    path = source.path
    columns = distinct(parquet_schema(path).names)
    if not columns:
        raise DataError(source.name, "no columns in it", "A table has a column at least", "Check how it was made")
    words = f"Parquet with {len(columns)} column" + "s" * (len(columns) != 1)
    return Rows(source.name, words, columns, lambda: _rows(path, columns), beginning(_rows(path, columns)))


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    number = 0
    for batch in parquet_columns(path):
        for values in zip(*batch, strict=True):
            number += 1
            yield Row(Place(str(path), number, "row"), dict(zip(columns, values, strict=True)))
