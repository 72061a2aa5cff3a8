"""Series over time of any kind of file: one form, with times, names, and what is known ahead."""

from __future__ import annotations

from pathlib import Path

from ostinato.data.readers import check_file
from ostinato.data.rows import open_rows
from ostinato.data.series.arrays import array_series
from ostinato.data.series.rolls import is_roll_file, roll_series
from ostinato.data.series.series import Columns, Missing, Series, SeriesFile
from ostinato.data.series.tables import table_series

__all__ = ["Columns", "Missing", "Series", "SeriesFile", "open_series"]

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet")


def open_series(
    source: str | Path, columns: Columns | None = None, *, missing: Missing = "error", encoding: str = "utf-8"
) -> SeriesFile:
    """Open a file of series: CSV, TSV, JSONL, Parquet, NPZ, plain lines of numbers, or JSON piano rolls.

    In a table a row is a step, and rows with the same item are a series; where cells hold lists, a row is a series.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "sold.csv")
    ...     _ = path.write_text("date,sold\\n2024-03-01,3\\n2024-03-02,\\n2024-03-03,7\\n")
    ...     series = next(iter(open_series(path, missing="interpolate")))
    ...     series.values.tolist(), str(series.times[1])
    ([[3.0], [5.0], [7.0]], '2024-03-02T00:00:00.000000')

    Raises DataError for a file or a column that is missing, and on reading for a cell that is no number, a missing
    value (`missing` "interpolate" fills it), and times that come twice or do not rise, each with its place.
    """
    columns, path = columns or Columns(), Path(source)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        check_file(path)
        return array_series(path, columns, missing)
    if suffix == ".json":
        check_file(path)
        if is_roll_file(path):
            return roll_series(path)
    plain = suffix not in TABLES and str(source) != "-" and "://" not in str(source)
    rows = open_rows(source, encoding=encoding, format="csv" if plain else None)
    return table_series(rows, columns, missing)
