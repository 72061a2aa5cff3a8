"""A sound piece by piece, as it comes: from a file of any kind, or from a pipe that holds WAV or raw samples."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.data.speech.folders import BEGINNINGS, is_mp3
from ostinato.data.speech.sound import BadSound, check_rate, check_samples, check_there, mono, opened
from ostinato.data.speech.waves import read_header

RAW = "raw samples of 16 bits, the low byte first, one channel"
NOT_RAW = tuple(head for head in BEGINNINGS if head != b"RIFF")
"""What files begin with that libsndfile reads, but not as they come."""


class Chunks(NamedTuple):
    """A sound that is read while it is heard, in one channel."""

    rate: int
    """Samples a second."""
    pieces: Iterator[NDArray[np.float32]]
    """Samples (n,) from -1 to 1."""


def file_chunks(path: Path, seconds: float = 0.1) -> Chunks:
    """Read a file of sound in pieces of so many seconds. Raises BadSound for one that is none."""
    check_there(path, str(path))
    file = opened(path, str(path))
    check_rate(file.samplerate, str(path))

    def pieces() -> Iterator[NDArray[np.float32]]:
        with file:
            yield from mono(file, max(1, int(file.samplerate * seconds)), str(path))

    return Chunks(int(file.samplerate), pieces())


def piped_chunks(stream: BinaryIO, rate: int | None = None, seconds: float = 0.1) -> Chunks:
    """Read a pipe in pieces of so many seconds: WAV, or with `rate` raw 16-bit samples.

    Raises BadSound for a pipe that is empty, no such WAV or of another format, ConfigError for raw samples
    without a rate.
    """
    head = stream.read(4)
    if not head:
        raise BadSound(
            "standard input", "whose sound is empty", "it is empty", "A sound is read from it", "Pipe one into it"
        )
    if head == b"RIFF":
        return _wave_chunks(_Rejoined(head, stream), seconds)
    if head.startswith(NOT_RAW) or is_mp3(head):
        got, possible = "neither WAV nor raw samples: it begins as a file of another format", "Those are read whole"
        advice = "Convert it to 16-bit WAV, or write it to a file"
        raise BadSound("standard input", "whose format is not read as it comes", got, possible, advice)
    if rate is None:
        got = "standard input begins with no WAV header, and no rate was given"
        raise ConfigError("--rate", got, f"What is no WAV is read as {RAW}", "Name its samples a second")
    check_rate(rate, "standard input")
    return Chunks(rate, _raw_pieces(_Rejoined(head, stream), 2 * max(1, int(rate * seconds))))


def _wave_chunks(stream: Any, seconds: float) -> Chunks:
    try:
        header = read_header(stream)
    except ValueError as error:
        got, possible = f"a WAV that cannot be read as it comes ({error})", "Samples are whole numbers, or real ones"
        advice = "Convert it to 16-bit WAV, or write it to a file"
        raise BadSound("standard input", "whose sound cannot be read", got, possible, advice) from None
    check_rate(header.rate, "standard input")
    frame, left = header.width * header.channels, header.size

    def pieces() -> Iterator[NDArray[np.float32]]:
        nonlocal left
        most = frame * max(1, int(header.rate * seconds))
        while block := stream.read(most if left is None else min(left, most)):
            left = None if left is None else left - len(block)
            samples = _numbers(block[: len(block) - len(block) % frame], header.width, header.real)
            samples = samples.reshape(-1, header.channels)
            check_samples(samples, "standard input")
            yield samples.mean(axis=1)

    return Chunks(header.rate, pieces())


def _raw_pieces(stream: Any, size: int) -> Iterator[NDArray[np.float32]]:
    left = b""
    while block := stream.read(size):
        block = left + block
        whole = len(block) - len(block) % 2
        left = block[whole:]
        yield _numbers(block[:whole], 2)


def _numbers(block: bytes, width: int, real: bool = False) -> NDArray[np.float32]:
    """Return samples of `width` bytes as numbers from -1 to 1; those of one byte are from 0 to 255."""
    if real:
        return np.frombuffer(block, f"<f{width}").astype(np.float32)
    if width == 1:
        return np.frombuffer(block, np.uint8).astype(np.float32) / np.float32(128) - np.float32(1)
    padded = np.zeros((len(block) // width, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(block, np.uint8).reshape(-1, width)
    return padded.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)


class _Rejoined(RawIOBase):
    """The first bytes of a stream, then the rest of it: what cannot be sought in."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        block, self._head = self._head[: max(0, size)], self._head[max(0, size) :]
        return block + self._stream.read(size - len(block)) if len(block) < size else block
