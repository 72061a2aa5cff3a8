"""Files that may be packed with gzip, opened as what is in them."""

from __future__ import annotations

import gzip
import zlib
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

from ostinato._errors import DataError

_GZIP = b"\x1f\x8b"


def open_unpacked(path: Path) -> BinaryIO:
    """Open the bytes of `path`, or those packed in it; reading raises DataError where the packing is damaged."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return _Unpacked(path) if packed else path.open("rb")  # pyright: ignore[reportReturnType]


class _Unpacked(RawIOBase):
    """The content of a gzip file, whose errors name it."""

    def __init__(self, path: Path):
        self._path, self._file = path, gzip.GzipFile(path, "rb")

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(str(self._path), f"damaged gzip ({error})", "", "Fetch the file again") from None

    def close(self) -> None:
        self._file.close()
        super().close()
