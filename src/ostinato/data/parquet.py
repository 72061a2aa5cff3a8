"""Parquet files a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ostinato._errors import DataError

_ROWS = 64  # few at once: a row may be a whole book


def parquet_schema(path: Path) -> Any:
    """Return the Arrow schema of `path`; DataError where it is no Parquet file."""
    import pyarrow as pa  # 50 MB that plain text does not need
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name that is not UTF-8
        raise _not_parquet(path, error) from None


def parquet_columns(path: Path, columns: list[str] | None = None) -> Iterator[list[list[Any]]]:
    """Give the values of `columns` (None: of all), each a list, a few rows at a time; DataError for a damaged file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=_ROWS, columns=columns, use_threads=False)
            while (batch := next(batches, None)) is not None:
                yield [column.to_pylist() for column in batch.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # ValueError: text that is not UTF-8
        raise _not_parquet(path, error) from None


def _not_parquet(path: Path, error: Exception) -> DataError:
    return DataError(
        str(path),
        f"not a Parquet file, or a damaged one ({str(error).splitlines()[0]})",
        "The suffix .parquet stands for Apache Parquet",
        "Give plain text the suffix .txt and JSON lines .jsonl, or fetch the file again",
    )
