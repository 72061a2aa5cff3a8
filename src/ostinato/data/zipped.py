"""The one text in a zip archive, read as the file it was: `pairs.zip`, or `pairs.zip/names.txt` of several."""

from __future__ import annotations

import zipfile
import zlib
from io import RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple

from ostinato._errors import DataError, did_you_mean
from ostinato.data.readers import check_file

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_BESIDE = ("_", ".", "readme", "license", "licence", "about", "__macosx")  # what is packed beside the data


class Member(NamedTuple):
    """A file in an archive."""

    archive: Path
    name: str

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"

    def open(self) -> BinaryIO:
        """Open its bytes; reading raises DataError where the archive is damaged."""
        return _Unzipped(self)  # pyright: ignore[reportReturnType]


def member_of(path: Path) -> Member | None:
    """Return the file in an archive that `path` names; None where `path` is no archive and in none.

    Of an archive itself it is its only file, where notes on it (a name that begins with _ or is a readme) do not
    count. Raises DataError where that is none or several, or where there is no such file in it.
    """
    archive = next((place for place in (path, *path.parents) if place.suffix.lower() == ".zip"), None)
    if archive is None or archive.is_dir():
        return None
    check_file(archive)
    names = _names(archive)
    if archive == path:
        return Member(archive, _only(archive, names))
    asked = path.relative_to(archive).as_posix()
    if asked not in names:
        raise DataError(str(archive), f"no '{asked}' in it", _held(names), did_you_mean(asked, names))
    return Member(archive, asked)


def _names(archive: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return [name for name in opened.namelist() if not name.endswith("/")]
    except _DAMAGED as error:
        raise _damaged(archive, error) from None


def _only(archive: Path, names: list[str]) -> str:
    data = [name for name in names if not PurePosixPath(name).name.lower().startswith(_BESIDE)]
    data = [name for name in data if not name.lower().startswith(_BESIDE)]
    if len(data) == 1:
        return data[0]
    advice = f"Name one: {archive}/{data[0]}" if data else "Check how it was made"
    got = f"{len(data)} files in it" if data else "no data in it"
    raise DataError(str(archive), got, _held(names), advice)


def _held(names: list[str]) -> str:
    return f"It holds {', '.join(names[:8])}{', …' if len(names) > 8 else ''}" if names else "It holds nothing"


def _damaged(archive: Path, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(str(archive), f"not a zip archive, or a damaged one ({reason})", "", "Fetch the file again")


class _Unzipped(RawIOBase):
    """The content of a member, whose errors name the archive."""

    def __init__(self, member: Member):
        self._member = member
        try:
            self._archive = zipfile.ZipFile(member.archive)
            self._file: IO[bytes] = self._archive.open(member.name)
        except _DAMAGED as error:
            raise _damaged(member.archive, error) from None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except _DAMAGED as error:
            raise _damaged(self._member.archive, error) from None

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._archive.close()
        super().close()
