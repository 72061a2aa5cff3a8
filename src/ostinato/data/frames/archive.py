"""Arrays in a NumPy archive, read some rows at a time and never as pickles."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ostinato._errors import DataError

CONVERT = (
    "Write the steps one after the other: np.savez(file, values=np.concatenate(x), "
    "offsets=np.cumsum([0, *map(len, x)]), y=y)"
)
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
)


class Array(NamedTuple):
    """What the head of an array says; its rows are read later."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    by_columns: bool
    """Whether it is stored column by column (Fortran order): then it is read whole."""

    def rows(self, counts: Iterable[int]) -> Iterator[np.ndarray]:
        """Give so many rows of the first axis at a time; DataError where the archive is damaged."""
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.name}.npy") as file:
                _head(file)
                stored = BytesIO(_whole(self).tobytes()) if self.by_columns else file
                yield from _cut(stored, self, counts)
        except _DAMAGED as error:
            raise damaged(self.path, error) from None

    def whole(self) -> np.ndarray:
        """Return the whole array."""
        return next(self.rows([self.shape[0]]))


def arrays_of(path: Path) -> dict[str, Array]:
    """Return the arrays of an archive by name; DataError for one that is no archive, and for objects in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
            heads = {name.removesuffix(".npy"): _member_head(archive, name) for name in members}
    except _DAMAGED as error:
        raise damaged(path, error) from None
    return {name: Array(path, name, shape, dtype, order) for name, (shape, order, dtype) in heads.items()}


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error that `path` is no NumPy archive."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    possible = "A .npz file is what np.savez or np.savez_compressed writes"
    return DataError(
        str(path), f"not a NumPy archive, or a damaged one ({reason})", possible, "Write or fetch it again"
    )


def _member_head(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    with archive.open(name) as file:
        return _head(file)


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the head of an array: its shape, whether it is in Fortran order, its type."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _whole(array: Array) -> np.ndarray:
    with np.load(array.path, allow_pickle=False) as archive:
        return np.ascontiguousarray(archive[array.name])


def _cut(file: IO[bytes], array: Array, counts: Iterable[int]) -> Iterator[np.ndarray]:
    size = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
    for count in counts:
        block = file.read(size * count)
        if len(block) != size * count:
            raise EOFError("it ends early")
        yield np.frombuffer(block, array.dtype).reshape(count, *array.shape[1:])
