"""Reads documents from files of any size, a piece at a time.

A plain text file (any suffix) is one document; in `.jsonl` every line is one, in `.parquet` every row.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data import lines
from ostinato.data.lines import clean, text_encoding
from ostinato.data.objects import json_object, json_type
from ostinato.data.parquet import parquet_columns, parquet_schema

DEFAULT_COLUMN = "text"
_JSONL = (".jsonl", ".ndjson")
_PARQUET = (".parquet",)
_BYTES_READ_ALL = "--tokens byte reads any file"

Piece = TypeVar("Piece", str, bytes)


class Documents(Generic[Piece]):
    """An iterator of documents, each an iterator of pieces of at most about a million characters.

    Read a document to its end before the next. `skipped` counts the rows without text met so far: null or "".
    """

    def __init__(self, read: Callable[[Documents], Iterator[Iterator[Piece]]]):
        self.skipped = 0
        self._documents = read(self)

    def __iter__(self) -> Iterator[Iterator[Piece]]:
        return self

    def __next__(self) -> Iterator[Piece]:
        return next(self._documents)


def documents(path: Path, *, column: str | None = None, encoding: str = "utf-8") -> Documents[str]:
    """Read the documents of `path` as text. "\\r\\n" reads as "\\n"; a byte order mark is left out.

    `column` ("text" when None) is the key of a JSONL line or the column of a Parquet file. `encoding` is any
    text encoding of Python; Parquet has its own. Raises DataError for a file that is missing, empty or
    damaged, for bytes that are not in the encoding, for a row without the column; ConfigError for an unknown
    encoding or a column asked of plain text. The first look at the file is at the call, the rest on reading.
    """
    path = Path(path)
    check_file(path)
    if _is_parquet(path):
        return Documents(lambda d: _parquet_documents(path, column or DEFAULT_COLUMN, d))
    encoding = text_encoding(encoding)
    if has_documents(path):
        return Documents(lambda d: _jsonl_documents(path, column or DEFAULT_COLUMN, encoding, d))
    _refuse_column(path, column)
    return Documents(lambda _: iter([_text_pieces(path, encoding)]))


def byte_documents(path: Path, *, column: str | None = None, encoding: str = "utf-8") -> Documents[bytes]:
    """Read the documents of `path` as bytes: a plain file just as it is, whatever it holds.

    The text of a JSONL or Parquet column comes as UTF-8. Errors are those of `documents`.
    """
    path = Path(path)
    check_file(path)
    if has_documents(path):
        return Documents(lambda d: _encoded(documents(path, column=column, encoding=encoding), d))
    _refuse_column(path, column)
    return Documents(lambda _: iter([_blocks(path)]))


def has_documents(path: Path) -> bool:
    """Say whether `path` is read as many documents, one a row, and not as one plain text."""
    return path.suffix.lower() in _JSONL + _PARQUET


def check_file(path: Path) -> None:
    """Raise DataError unless `path` is a file that is not empty; near names are suggested."""
    where = str(path)
    if os.path.isdir(path):
        names = _file_names(path)
        some = f"Files in it: {_some(names)}" if names else "It holds no files"
        raise DataError(where, "a directory, where a file is needed", some, "Name one file")
    if not os.path.exists(path):
        raise _missing(path)
    if not os.path.isfile(path):
        possible = "A text is read several times, so it must be a regular file"
        raise DataError(where, "a pipe or a device", possible, "Write the text to a file first")
    if not os.access(path, os.R_OK):
        raise DataError(where, "no permission to read it", "", f"Try: chmod u+r {path}")
    if path.stat().st_size == 0:
        raise DataError(where, "the file is empty", "A model needs text to learn from", "Check how it was made")


def _missing(path: Path) -> DataError:
    folder = path.parent
    if not os.path.isdir(folder):
        advice = "Check the path, letter by letter"
        return DataError(str(path), "there is no such file", f"There is no folder '{folder}' either", advice)
    names = _file_names(folder)
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.55)
    advice = f"Did you mean '{folder / near[0]}'?" if near else "Check the path, letter by letter"
    possible = f"Files in '{folder}': {_some(names)}" if names else f"There are no files in '{folder}'"
    return DataError(str(path), "there is no such file", possible, advice)


def _file_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())
    except PermissionError:
        return []


def _some(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in _PARQUET


def _refuse_column(path: Path, column: str | None) -> None:
    if column is not None:
        raise ConfigError(
            "column",
            f"'{column}' for {path}, which is read as plain text",
            f"Files with columns: {', '.join(_JSONL + _PARQUET)}",
            "Leave the column out, or name a file that has columns",
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(lines.BLOCK):
            yield block


def _text_pieces(path: Path, encoding: str) -> Iterator[str]:
    with path.open("rb") as file:
        yield from lines.text_pieces(file, str(path), encoding, otherwise=_BYTES_READ_ALL)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        yield from lines.numbered_lines(file, str(path), encoding)


def _jsonl_documents(path: Path, column: str, encoding: str, found: Documents) -> Iterator[Iterator[str]]:
    filled = ((number, line) for number, line in _lines(path, encoding) if line.strip())
    texts = (_json_text(line, column, f"{path}, line {number}") for number, line in filled)
    yield from _filled(texts, path, column, found)


def _filled(texts: Iterable[str | None], path: Path, column: str, found: Documents) -> Iterator[Iterator[str]]:
    """Yield each text that is not empty as a document, and count the others; DataError where all are empty."""
    any_text = False
    for text in texts:
        if text:
            any_text = True
            yield _pieces(clean(text))
        else:
            found.skipped += 1
    if not any_text:
        raise _no_documents(path, column, found.skipped)


def _json_text(line: str, column: str, where: str) -> str | None:
    row = json_object(line, where, f'{{"{column}": "…"}}')
    if column not in row:
        raise _no_column(where, column, list(row))
    text = row[column]
    if text is not None and not isinstance(text, str):
        raise DataError(
            where,
            f"'{column}' holds {json_type(text)}",
            "A column of text holds strings or null",
            "Name another with --column",
        )
    return text


def _no_column(where: str, column: str, columns: list[str]) -> DataError:
    near = did_you_mean(column, columns)
    advice = f"{near} Name it with --column".strip() if near else "Name one with --column"
    return DataError(where, f"no column '{column}'", f"Columns: {', '.join(columns) or 'none'}", advice)


def _no_documents(path: Path, column: str, skipped: int) -> DataError:
    return DataError(
        str(path),
        f"no text in column '{column}'; {skipped} rows are null or empty",
        "A model needs text to learn from",
        "Name another with --column",
    )


def _parquet_documents(path: Path, column: str, found: Documents) -> Iterator[Iterator[str]]:
    import pyarrow as pa

    schema = parquet_schema(path)
    if column not in schema.names:
        raise _no_column(str(path), column, schema.names)
    kind = schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        raise DataError(
            str(path),
            f"column '{column}' holds {kind}, not text",
            f"Columns of text: {', '.join(texts) or 'none'}",
            "Name one with --column",
        )
    rows = (text for [texts] in parquet_columns(path, [column]) for text in texts)
    yield from _filled(rows, path, column, found)


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + lines.BLOCK] for start in range(0, len(text), lines.BLOCK))


def _encoded(texts: Documents[str], found: Documents[bytes]) -> Iterator[Iterator[bytes]]:
    for pieces in texts:
        found.skipped = texts.skipped
        yield (piece.encode("utf-8") for piece in pieces)
    found.skipped = texts.skipped
