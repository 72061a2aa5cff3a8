"""WAV as it comes through a pipe, and WAV whose writer never came to say how long it is.

The standard library's `wave` reads neither real numbers nor the extensible header that most programs write for 24 bits
(Microsoft, "Multiple channel audio data and WAVE files", 2007), and libsndfile cannot read a pipe.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

WHOLE, REAL, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN = (0, *range(0x7FFFFFFF, 0x80000001), *range(0xFFFFFF00, 0x100000000))
"""Numbers of bytes that programs write which do not know how many there will be."""


class Header(NamedTuple):
    """What stands before the samples."""

    rate: int
    channels: int
    width: int
    """Bytes a sample."""
    real: bool
    """Whether samples are real numbers from -1 to 1; else whole ones."""
    size: int | None
    """Bytes of all samples; None where they go on to the end."""


def read_header(stream: Any) -> Header:
    """Read a stream up to its first sample. Raises ValueError, which says why, for what cannot be read so."""
    riff, _, kind = struct.unpack("<4sI4s", _exactly(stream, 12))
    if (riff, kind) != (b"RIFF", b"WAVE"):
        raise ValueError("no WAVE file")
    form = b""
    while True:
        name, size = struct.unpack("<4sI", _exactly(stream, 8))
        if name == b"data":
            return _header(form, None if size in UNKNOWN else size)
        content = _exactly(stream, size + size % 2)
        form = content if name == b"fmt " else form


def with_length(content: bytes) -> bytes:
    """Return a WAV whose samples go on to its end, where its header says that there are none; else as it is."""
    at = content.find(b"data", 12)
    if at < 0 or content[at + 4 : at + 8] != bytes(4) or _are_chunks(content, at + 8):
        return content
    return content[: at + 4] + b"\xff\xff\xff\xff" + content[at + 8 :]


def _are_chunks(content: bytes, at: int) -> bool:
    """Whether nothing but further chunks, of which each says its size, follows from here."""
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return at == len(content)


def _header(form: bytes, size: int | None) -> Header:
    if len(form) < 16:
        raise ValueError("it does not say what its samples are")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    tag = int.from_bytes(form[24:26], "little") if tag == EXTENSIBLE else tag
    width = bits // 8
    if tag not in (WHOLE, REAL) or bits % 8 or width not in ((1, 2, 3, 4) if tag == WHOLE else (4, 8)):
        raise ValueError(f"samples of {bits} bits in format {tag}")
    if not channels:
        raise ValueError("no channel")
    return Header(rate, channels, width, tag == REAL, size)


def _exactly(stream: Any, count: int) -> bytes:
    block: bytes = stream.read(count)
    if len(block) < count:
        raise ValueError("it ends early")
    return block
