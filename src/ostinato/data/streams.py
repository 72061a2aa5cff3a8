"""Streams: a corpus as one long row of symbols on disk, and the lanes that training reads it in.

`write_stream` makes a folder of

    train.bin, valid.bin                  the symbols, raw unsigned integers
    stream.json                           what the others hold, written last

A folder without `stream.json` is not written yet, so a writer that was killed leaves nothing to repair.
In the stream a document is the boundary symbol and then its symbols: reading the boundary a model predicts
the first symbol from its initial state, and after the last it predicts the next boundary, the document's end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ostinato._errors import ConfigError, DataError, RunError
from ostinato._files import replace_file
from ostinato.data.lanes import Lanes, Segment
from ostinato.data.readers import Documents, byte_documents, check_file, documents
from ostinato.data.vocabulary import Text, Vocabulary, count_characters

__all__ = ["Lanes", "Segment", "TokenStream", "first_symbols", "write_stream", "write_whole"]

Part = Literal["train", "valid"]
Progress = Callable[[int, int], None]
_FORMAT = 1
_DESCRIPTION = "stream.json"


def write_stream(
    folder: Path,
    path: Path,
    vocabulary: Vocabulary,
    *,
    column: str | None = None,
    encoding: str = "utf-8",
    validation: float | Path = 0.1,
    progress: Progress | None = None,
) -> None:
    """Write the symbols of `path` into `folder`, in two parts, reading in bounded memory.

    `validation` is another file, or the fraction at the end of this one: of its characters (its bytes for a
    byte vocabulary) where the file is one document, else of its documents. `progress` is called with the
    characters written and how many there are. Each file is read twice: to count, then to write.
    Raises ConfigError for a fraction outside (0, 1); DataError as `readers.documents`, for a file too small
    to split, and for a second file with characters the vocabulary lacks; RunError when the disk refuses.
    """
    folder, path = Path(folder), Path(path)
    description = _describe(path, vocabulary, column, encoding, validation)

    def read(file: Path) -> Documents:
        return _read(file, vocabulary, column, encoding)

    if isinstance(validation, (int, float)):
        counts = [_count(read(path))]
        sources = _split(read(path), counts[0], validation, str(path))
        names = (str(path), str(path))
    else:
        names = (str(path), str(validation))
        counts = [_count(read(path)), _count(read(Path(validation)))]
        sources = (read(path), read(Path(validation)))
    report = _Report(sum(count.length for count in counts), progress)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _DESCRIPTION).unlink(missing_ok=True)
        description["parts"] = {
            part: _write_part(folder, part, source, vocabulary, name, report)
            for part, source, name in zip(("train", "valid"), sources, names, strict=True)
        }
        description["skipped_rows"] = sum(count.skipped for count in counts)
        if report.done != report.total:
            raise DataError(str(path), "the file changed while it was read", "", "Try again when it is complete")
        replace_file(folder / _DESCRIPTION, json.dumps(description, indent=2).encode())


def write_whole(
    folder: Path, path: Path, vocabulary: Vocabulary, *, column: str | None = None, encoding: str = "utf-8"
) -> TokenStream:
    """Write all symbols of `path` into `folder` as one part, to score a file, and open it.

    Nothing describes it on disk: it is for the moment. Raises as `write_stream`.
    """
    folder, path = Path(folder), Path(path)
    source = _read(path, vocabulary, column, encoding)
    with _writing(folder):
        counts = _write_part(folder, "whole", source, vocabulary, str(path), _Report(0, None))
    return TokenStream(
        path=folder / "whole.bin",
        dtype=vocabulary.dtype.newbyteorder("<"),
        boundary=vocabulary.boundary,
        length=counts["tokens"],
        documents=counts["documents"],
        characters=counts["characters"],
        bytes=counts["bytes"],
        skipped_rows=source.skipped,
    )


def first_symbols(
    path: Path, vocabulary: Vocabulary, most: int, *, column: str | None = None, encoding: str = "utf-8"
) -> np.ndarray:
    """Return the first symbols (N,) of `path`, at most `most`: the boundary stands between documents.

    No more of the file is read than that takes. Raises DataError and ConfigError as `readers.documents`.
    """
    found, count = [np.empty(0, vocabulary.dtype)], 0
    boundary = np.array([vocabulary.boundary], vocabulary.dtype)
    for pieces in _read(path, vocabulary, column, encoding):
        for symbols in itertools.chain([boundary] if count else [], vocabulary.encode_pieces(pieces, str(path))):
            found.append(symbols)
            count += len(symbols)
            if count >= most:
                return np.concatenate(found)[:most]
    return np.concatenate(found)


@dataclass(frozen=True)
class TokenStream:
    """One part of a stream on disk. Only its description is in memory."""

    path: Path
    """The file of symbols."""
    dtype: np.dtype
    """How a symbol is stored."""
    boundary: int
    """The symbol that starts a document."""
    length: int
    """How many symbols there are, boundaries included."""
    documents: int
    """How many documents there are."""
    characters: int
    """How many characters they have, the boundaries not counted."""
    bytes: int
    """How many bytes those characters take in UTF-8 (byte vocabulary: as they are)."""
    skipped_rows: int
    """How many rows of the files behind the whole stream had no text: null or empty."""

    @classmethod
    def open(cls, folder: Path, part: Part) -> TokenStream:
        """Open what `write_stream` wrote; RunError when it is not written yet, or damaged."""
        folder = Path(folder)
        description = _read_description(folder)
        path = folder / f"{part}.bin"
        try:
            counts = description["parts"][part]
            stream = cls(
                path=path,
                dtype=np.dtype(description["dtype"]),
                boundary=description["vocabulary"]["boundary"],
                length=counts["tokens"],
                documents=counts["documents"],
                characters=counts["characters"],
                bytes=counts["bytes"],
                skipped_rows=description["skipped_rows"],
            )
        except (KeyError, TypeError) as error:
            raise _damaged(folder / _DESCRIPTION, f"it lacks {error}") from None
        size = path.stat().st_size if path.is_file() else 0
        if size != stream.length * stream.dtype.itemsize:
            raise _damaged(path, f"{size} bytes, where {stream.length * stream.dtype.itemsize} were written")
        return stream

    def __len__(self) -> int:
        return self.length

    @property
    def tokens(self) -> np.memmap:
        """The symbols (N,), mapped anew at each use: a map keeps all it touched in memory while it lives."""
        return np.memmap(self.path, self.dtype, mode="r", shape=(self.length,))

    def read(self, starts: np.ndarray, count: int) -> np.ndarray:
        """Return the `count` symbols from each of `starts` on, (len(starts), count); RunError past the end.

        Read, not mapped: the pages of a map count as resident, the whole corpus after one epoch. Mapping
        anew for each segment avoids that, but its page faults take four times as long (380 against 90 µs for
        64 lanes of 128 steps). Opened each time (10 µs): no file to close, and a fork shares no position.
        """
        rows = np.empty((len(starts), count), self.dtype)
        with self.path.open("rb", buffering=0) as file:
            for start, row in zip(starts.tolist(), rows, strict=True):
                file.seek(start * row.itemsize)
                if file.readinto(row.data) != row.nbytes:
                    raise _damaged(self.path, "it ends early")
        return rows


def _read(path: Path, vocabulary: Vocabulary, column: str | None, encoding: str) -> Documents:
    reader = byte_documents if vocabulary.kind == "byte" else documents
    return reader(path, column=column, encoding=encoding)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "Free some space, or choose another folder"
        raise RunError(str(folder), f"the stream cannot be written ({error})", "", advice) from error


class _Count(NamedTuple):
    documents: int
    length: int  # characters, or bytes
    skipped: int


def _count(source: Documents) -> _Count:
    number = length = 0
    for pieces in source:
        number += 1
        length += sum(len(piece) for piece in pieces)
    return _Count(number, length, source.skipped)


class _Report:
    """Keeps how much is written, and tells it."""

    def __init__(self, total: int, progress: Progress | None):
        self.done, self.total, self._progress = 0, total, progress

    def add(self, length: int) -> None:
        self.done += length
        if self._progress:
            self._progress(self.done, self.total)


def _split(source: Documents, count: _Count, fraction: float, where: str) -> tuple[Iterator, Iterator]:
    """Return the documents to train on and those held out: the end of the only one, or the last ones."""
    total = count.documents if count.documents > 1 else count.length
    if total < 2:
        raise DataError(
            where,
            f"a text of {total} character cannot be split",
            "One part is to train on, the other to measure with",
            "Use a longer text, or name a second file for validation",
        )
    kept = min(max(int(total * (1 - fraction)), 1), total - 1)
    if count.documents > 1:
        return itertools.islice(source, kept), source
    cut = _Cut(next(source), kept)
    return iter([cut.first()]), iter([cut.rest()])


class _Cut:
    """The first `length` characters (or bytes) of a text that comes in pieces, and then the rest of it."""

    def __init__(self, pieces: Iterator, length: int):
        self._pieces, self._length, self._over = pieces, length, None

    def first(self) -> Iterator:
        left = self._length
        while left:
            piece = next(self._pieces, None)
            if piece is None:
                return
            if len(piece) > left:
                piece, self._over = piece[:left], piece[left:]
            left -= len(piece)
            yield piece

    def rest(self) -> Iterator:
        if self._over:
            yield self._over
        yield from self._pieces


def _write_part(
    folder: Path,
    part: str,
    source: Iterable[Iterator[Text]],
    vocabulary: Vocabulary,
    where: str,
    report: _Report,
) -> dict[str, int]:
    """Write one part and return its counts."""
    boundary = vocabulary.boundary.to_bytes(vocabulary.dtype.itemsize, "little")
    stored = vocabulary.dtype.newbyteorder("<")
    tokens = documents = characters = size = 0

    def counted(pieces: Iterable[Text]) -> Iterator[Text]:
        nonlocal characters, size
        for piece in pieces:
            characters += count_characters(piece)
            size += len(piece) if isinstance(piece, bytes) or piece.isascii() else len(piece.encode("utf-8"))
            report.add(len(piece))
            yield piece

    with (folder / f"{part}.bin").open("wb") as file:
        for pieces in source:
            file.write(boundary)
            tokens += 1
            documents += 1
            for ids in vocabulary.encode_pieces(counted(pieces), where):
                file.write(ids.astype(stored, copy=False).data)
                tokens += ids.size
        file.flush()
        os.fsync(file.fileno())
    return {"tokens": tokens, "documents": documents, "characters": characters, "bytes": size}


def _describe(
    path: Path, vocabulary: Vocabulary, column: str | None, encoding: str, validation: float | Path
) -> dict[str, Any]:
    """Return all that decides what a stream holds, as JSON keeps it."""
    if isinstance(validation, (int, float)):
        if isinstance(validation, bool) or not 0 < validation < 1:
            raise ConfigError(
                "validation",
                f"{validation!r}",
                "Possible: a fraction between 0 and 1, or a second file",
                "0.1 holds out the last tenth",
            )
        held_out = validation
    else:
        held_out = _fingerprint(Path(validation))
    return {
        "format": _FORMAT,
        "vocabulary": {
            "kind": vocabulary.kind,
            "size": vocabulary.size,
            "boundary": vocabulary.boundary,
            "sha256": hashlib.sha256(vocabulary.to_json().encode("utf-8")).hexdigest(),
        },
        "dtype": vocabulary.dtype.newbyteorder("<").str,
        "source": _fingerprint(path),
        "column": column,
        "encoding": encoding,
        "validation": held_out,
    }


def _fingerprint(path: Path) -> dict[str, Any]:
    check_file(path)
    status = path.stat()
    return {"name": path.name, "bytes": status.st_size, "changed_ns": status.st_mtime_ns}


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / _DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(str(folder), "no stream is written there", f"A complete one has a {_DESCRIPTION}") from None
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise _damaged(path, "it is of another format")
    return description


def _damaged(path: Path, reason: str) -> RunError:
    advice = f"Delete {path.parent}: the stream is written again from the text"
    return RunError(str(path), f"the stream is damaged: {reason}", "", advice)
