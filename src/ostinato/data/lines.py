"""Decodes files a block at a time, and gives their lines with numbers: in constant memory, whatever the size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from ostinato._errors import ConfigError, DataError, did_you_mean

BLOCK = 1 << 20  # bytes read at once
LONGEST_LINE = 1 << 28  # characters: a line is parsed whole, so it must fit in memory
_FIRST_BYTES = {  # files that are taken for text by mistake
    b"\x1f\x8b": "It looks like gzip: unpack it first",
    b"PK\x03\x04": "It looks like a zip archive: unpack it first",
    b"PAR1": "It looks like Parquet: give it the suffix .parquet",
    b"%PDF": "It looks like a PDF: take its text out first",
    b"\xff\xfe": "It looks like UTF-16: use --encoding utf-16",
    b"\xfe\xff": "It looks like UTF-16: use --encoding utf-16",
}
_KNOWN = ["utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "ascii", "gb18030", "big5", "shift_jis", "euc-kr"]


def text_encoding(name: str) -> str:
    """Return Python's own name of a text encoding; ConfigError where `name` is none."""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        info = None
    # "hex" and its like are codecs from bytes to bytes.
    if info is None or not getattr(info, "_is_text_encoding", True):
        possible = f"Possible: {', '.join(_KNOWN)} and all others of Python"
        raise ConfigError("encoding", f"'{name}' is no text encoding", possible, did_you_mean(name, _KNOWN))
    # The reader leaves a byte order mark out by itself, and then knows where every byte stands.
    return info.name.removesuffix("-sig")


def text_pieces(file: BinaryIO, where: str, encoding: str, *, otherwise: str = "") -> Iterator[str]:
    """Decode `file` block by block, with "\\n" for "\\r\\n" and without a byte order mark; no piece is empty.

    A DataError about its bytes names `where` and the offset, and ends what is possible with `otherwise`.
    """
    carry = ""  # a "\r" at a block's end waits for what follows it
    found = False
    for text in _decoded(file, where, encoding, otherwise):
        text = carry + text
        carry = "\r" if text.endswith("\r") else ""
        text = clean(text[: len(text) - len(carry)])
        if text:
            found = True
            yield text
    if carry:
        yield carry
    elif not found:
        advice = "Check how it was made"
        raise DataError(where, "the file holds no text", "A model needs text to learn from", advice)


def numbered_lines(file: BinaryIO, where: str, encoding: str, *, otherwise: str = "") -> Iterator[tuple[int, str]]:
    """Give the lines of `file` with their numbers from 1; only "\\n" ends a line. Raises as `text_pieces`."""
    number, begun, length = 1, [], 0
    for piece in text_pieces(file, where, encoding, otherwise=otherwise):
        *whole, rest = piece.split("\n")
        for line in whole:
            yield number, "".join([*begun, line])
            number, begun, length = number + 1, [], 0
        begun.append(rest)
        length += len(rest)
        if length > LONGEST_LINE:
            raise DataError(
                f"{where}, line {number}",
                f"longer than {LONGEST_LINE >> 20} million characters",
                "A line is read whole; JSONL holds one object a line",
                "Write each item on its own line, or give plain text the suffix .txt",
            )
    if length:
        yield number, "".join(begun)


def mistaken_for_text(first: bytes) -> str:
    """Say what a file that begins with `first` is and what to do about it; nothing where it may be text."""
    return next((hint for start, hint in _FIRST_BYTES.items() if first.startswith(start)), "")


def clean(text: str) -> str:
    """Return `text` with "\\n" for "\\r\\n", and without lone surrogates, which are no characters."""
    text = text.replace("\r\n", "\n")
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decoded(file: BinaryIO, where: str, encoding: str, otherwise: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read, first = 0, b""
    while True:
        block = file.read(BLOCK)
        first = first or block[:4]
        skip = 3 if read == 0 and encoding == "utf-8" and block.startswith(codecs.BOM_UTF8) else 0
        state = decoder.getstate()
        try:
            text = decoder.decode(block[skip:], final=not block)
        except UnicodeDecodeError as error:
            # The decoder had kept the bytes of an unfinished character in front of this block.
            kept = len(error.object) - len(block[skip:])
            offset = read + skip + error.start - kept
            decoder.setstate(state)
            yield decoder.decode(block[skip : skip + max(0, error.start - kept)])
            raise wrong_byte(where, encoding, offset, error, first, otherwise) from None
        except UnicodeError as error:  # utf-16 without its mark, and the like: no byte is to blame
            raise wrong_beginning(where, encoding, error, otherwise) from None
        if not block:
            yield text
            return
        read += len(block)
        yield text


def wrong_beginning(where: str, encoding: str, error: UnicodeError, otherwise: str = "") -> DataError:
    """Return the error that text does not begin as `encoding` does."""
    possible = _joined("Possible: the encoding it has", otherwise)
    return DataError(where, f"not {encoding.upper()} ({error})", possible, "Name it with --encoding")


def wrong_byte(
    where: str, encoding: str, offset: int, error: UnicodeDecodeError, first: bytes, otherwise: str = ""
) -> DataError:
    """Return the error that a byte is not of `encoding`; `first` are the first bytes of the file."""
    return DataError(
        where,
        f"not {encoding.upper()}: byte 0x{error.object[error.start]:02x} at offset {offset} ({error.reason})",
        _joined("Possible: --encoding latin-1, or the encoding it has", otherwise),
        mistaken_for_text(first) or "Open it in an editor to see which encoding it has",
    )


def _joined(possible: str, otherwise: str) -> str:
    return f"{possible}; {otherwise}" if otherwise else possible
