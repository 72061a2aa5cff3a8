"""Sequences of any length on disk: written one by one, read by number. Nothing but their ends is kept in memory.

items/store.json       columns and how many items there are
items/NAME.values      the numbers of a column, item after item
items/NAME.ends        where each item ends, in rows (int64)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import RunError
from ostinato._files import replace_file

IN_MEMORY = 1 << 26
"""Bytes up to which a column is read whole, once."""


@dataclass(frozen=True)
class Column:
    """Items of one kind: arrays (n, width) of a type, or (n,) where `width` is None."""

    dtype: str
    width: int | None = None

    @property
    def row_bytes(self) -> int:
        """How large one row is."""
        return np.dtype(self.dtype).itemsize * (1 if self.width is None else self.width)


class Writer:
    """Writes a store into a folder; it can be read once the `with` block ends well.

    columns  name → type, or (type, width): `{"words": np.int32, "frames": (np.float32, 12)}`.
    """

    def __init__(self, folder: Path, columns: Mapping[str, Any]):
        self.folder = folder
        self.columns = {name: _column(kind) for name, kind in columns.items()}
        self.count = 0
        self._ends = dict.fromkeys(columns, 0)
        self._opened = ExitStack()
        self._files: dict[str, tuple[BinaryIO, BinaryIO]] = {}

    def __enter__(self) -> Writer:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in self.columns:
            values, ends = (self.folder / f"{name}.{part}" for part in ("values", "ends"))
            opened = self._opened.enter_context
            self._files[name] = (opened(values.open("wb")), opened(ends.open("wb")))
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._opened.close()
        if kind is None:
            columns = {name: [column.dtype, column.width] for name, column in self.columns.items()}
            text = json.dumps({"items": self.count, "columns": columns})
            replace_file(self.folder / "store.json", text.encode())

    def add(self, **values: Any) -> None:
        """Add an item: for each column an array (n,) or (n, width), n of its own in each."""
        for name, column in self.columns.items():
            rows = np.ascontiguousarray(values[name], column.dtype)
            shape = rows.shape[1:]
            if shape != (() if column.width is None else (column.width,)):
                raise ValueError(f"column {name}: rows of shape {shape}")
            self._ends[name] += len(rows)
            data, ends = self._files[name]
            data.write(rows.tobytes())
            ends.write(np.int64(self._ends[name]).tobytes())
        self.count += 1


class Store:
    """A store, opened. `len` is the number of its items. Raises RunError for one that is missing or damaged."""

    def __init__(self, folder: Path):
        self.folder = folder
        advice = "Begin anew with --overwrite"
        try:
            document = json.loads((folder / "store.json").read_text(encoding="utf-8"))
            self.columns = {name: Column(*kind) for name, kind in document["columns"].items()}
            self._count: int = document["items"]
            self._ends = {name: np.fromfile(folder / f"{name}.ends", np.int64) for name in self.columns}
        except OSError as error:
            got = f"cannot be read ({error.strerror})"
            raise RunError(str(folder), got, "A run keeps its items there", advice) from None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(str(folder), f"damaged ({error})", "", advice) from None
        for name, ends in self._ends.items():
            size = (folder / f"{name}.values").stat().st_size
            rows = int(ends[-1]) if len(ends) else 0
            if len(ends) != self._count or size != rows * self.columns[name].row_bytes:
                raise RunError(str(folder / f"{name}.values"), f"damaged: it has {size} bytes", "", advice)
        self._columns: dict[str, NDArray | None] = {}

    def __len__(self) -> int:
        return self._count

    def lengths(self, name: str) -> NDArray[np.int64]:
        """Return how many rows each item of a column has, (N,)."""
        return np.diff(self._ends[name], prepend=np.int64(0))

    def read(self, name: str, index: int) -> NDArray:
        """Return an item of a column, (n,) or (n, width); it may be a view and is not to be changed."""
        column, ends = self.columns[name], self._ends[name]
        first, last = int(ends[index - 1]) if index else 0, int(ends[index])
        if (kept := self._kept(name)) is not None:
            return kept[first:last]
        # a memory map would count all that was ever touched as resident
        with open(self.folder / f"{name}.values", "rb") as file:
            file.seek(first * column.row_bytes)
            return _shaped(np.frombuffer(file.read((last - first) * column.row_bytes), column.dtype), column)

    def all(self, name: str) -> Iterator[NDArray]:
        """Yield the items of a column, in order."""
        return (self.read(name, k) for k in range(len(self)))

    def column(self, name: str) -> NDArray:
        """Return all rows of a column, one item after the other; meant for what is small."""
        return _shaped(np.fromfile(self.folder / f"{name}.values", self.columns[name].dtype), self.columns[name])

    def _kept(self, name: str) -> NDArray | None:
        """Return a column that is kept in memory; None for one that is too large."""
        if name not in self._columns:
            small = (self.folder / f"{name}.values").stat().st_size <= IN_MEMORY
            self._columns[name] = self.column(name) if small else None
        return self._columns[name]


def _column(kind: Any) -> Column:
    dtype, width = kind if isinstance(kind, tuple) else (kind, None)
    return Column(np.dtype(dtype).str, width)


def _shaped(values: NDArray, column: Column) -> NDArray:
    return values if column.width is None else values.reshape(-1, column.width)
