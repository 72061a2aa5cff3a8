"""What bytes come from: a file, opened as often as it is read, or standard input, which can be read once."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Protocol

from ostinato._errors import DataError
from ostinato.data.lines import mistaken_for_text, numbered_lines, text_encoding, wrong_beginning, wrong_byte
from ostinato.data.readers import check_file
from ostinato.data.unpacking import open_unpacked
from ostinato.data.zipped import Member, member_of

STANDARD_INPUT = "-"
_SHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_HEAD = 1 << 18  # bytes looked at to tell what a file is


class Source(Protocol):
    """Where lines come from."""

    name: str
    """What errors call it."""
    suffix: str
    """The suffix of the file in small letters; "" for a stream."""
    head: bytes
    """Its first bytes, at most 256 KiB."""
    whole: bool
    """Whether `head` is all there is."""

    def open(self) -> BinaryIO:
        """Return its bytes from the beginning, for a `with` statement."""
        ...


class File:
    """A file on a disk, unpacked where it is gzip; DataError for one that is missing, empty or not to be read."""

    def __init__(self, path: Path):
        check_file(path)
        self.path, self.name = path, str(path)
        self.suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        with open_unpacked(path) as file:
            self.head = file.read(_HEAD)
            self.whole = not file.read(1)

    def open(self) -> BinaryIO:
        """Open the file anew."""
        return open_unpacked(self.path)


class Zipped:
    """A file in a zip archive; DataError for one that is empty or damaged."""

    def __init__(self, member: Member):
        self.member, self.name = member, str(member)
        self.suffix = Path(member.name.lower()).suffix
        with member.open() as file:
            self.head = file.read(_HEAD)
            self.whole = not file.read(1)
        if not self.head:
            raise DataError(self.name, "the file is empty", "A model needs text to learn from", "Check how it was made")

    def open(self) -> BinaryIO:
        """Open the file anew."""
        return self.member.open()


class Stream:
    """A stream that is read once. Its head is what has come when a first line is complete, so a pipe may be alive."""

    def __init__(self, stream: BinaryIO, name: str = "standard input"):
        self.name, self.suffix, self._stream, self._opened = name, "", stream, False
        self.head, self.whole = b"", False
        while not self.whole and b"\n" not in self.head and len(self.head) < _HEAD:
            block = _some(stream, _HEAD)
            self.head += block
            self.whole = not block
        if not self.head:
            raise DataError(name, "it is empty", "One item a line is read from it", "Pipe a file into it")

    def open(self) -> BinaryIO:
        """Return the stream from its beginning; DataError at the second time."""
        if self._opened:
            possible = "It can be read once, where a file can be read again"
            raise DataError(self.name, "it has been read already", possible, "Write it to a file first")
        self._opened = True
        return _Replayed(self.head, self._stream)  # pyright: ignore[reportReturnType]


class _Replayed(RawIOBase):
    """The head of a stream, then the rest of it as it comes. Closing leaves the stream open: it is not ours."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        if self._head:
            block, self._head = self._head, b""
            return block
        return _some(self._stream, size)


def _some(stream: BinaryIO, size: int) -> bytes:
    """Read what is there, waiting for the first byte only."""
    read = getattr(stream, "read1", stream.read)
    return read(size)


def source_of(path: str | Path) -> Source:
    """Return the source that `path` names: "-" is standard input, a .zip the one file in it."""
    if str(path) == STANDARD_INPUT:
        return Stream(sys.stdin.buffer)
    member = member_of(Path(path))
    return File(Path(path)) if member is None else Zipped(member)


def first_lines(source: Source, encoding: str) -> list[str]:
    """Return the whole lines at the head of `source`.

    Raises DataError for what is no text in it: an archive, or bytes that are not of `encoding`.
    """
    hint = mistaken_for_text(source.head)
    if hint and source.suffix in _SHEETS:
        hint = "It looks like a spreadsheet: save it as CSV"
    if hint and not ("UTF-16" in hint and encoding.startswith(("utf-16", "utf-32"))):
        raise DataError(source.name, "not text", "A table is text: CSV, TSV, JSONL, lines; or Parquet", hint)
    decoder = codecs.getincrementaldecoder(text_encoding(encoding))()
    try:
        text = decoder.decode(source.head, source.whole)
    except UnicodeDecodeError as error:
        raise wrong_byte(source.name, encoding, error.start, error, source.head) from None
    except UnicodeError as error:  # utf-16 without its mark
        raise wrong_beginning(source.name, encoding, error) from None
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    last = lines.pop()
    return lines if lines and not (source.whole and last) else [*lines, last]


def lines_of(source: Source, encoding: str) -> Iterator[tuple[int, str]]:
    """Give the lines of `source` with their numbers; DataError for a NUL, which no text has."""
    with source.open() as file:
        for number, line in numbered_lines(file, source.name, encoding):
            if "\0" in line:
                raise DataError(
                    f"{source.name}, line {number}",
                    f"a NUL character at column {line.index(chr(0)) + 1}",
                    "Text holds none; in UTF-16 read as another encoding, every second byte is one",
                    "Try --encoding utf-16, or look how the file was made",
                )
            yield number, line
