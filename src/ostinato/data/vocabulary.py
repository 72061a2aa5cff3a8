"""Symbols: which pieces of text a model reads and writes, and the number of each.

| kind | one symbol is | reads back |
|---|---|---|
| char | one Unicode character of the corpus | exactly; other characters are an error, or U+FFFD |
| byte | one byte, of any file | exactly |
| word | a word or punctuation mark with the space before it, or one white space | exactly, but ` <unk>` |
| bpe | a frequent run of bytes (byte-pair encoding) | exactly |

A vocabulary is a `tokenizers.Tokenizer` and nothing beside it: its JSON holds all that is needed to read text
again, the kind included (it follows from how the JSON splits text). Each kind has one symbol more, the
boundary, which starts a document and so ends the one before; text never contains it.
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from tokenizers import Tokenizer

from ostinato._errors import DataError, RunError
from ostinato.data.learning import (
    BOUNDARY,
    KINDS,
    TEXT_CHARACTERS,
    as_unicode,
    byte_characters,
    code_points,
    cut_between_words,
    learn_tokenizer,
    name_character,
    not_unicode,
    tokenizer_kind,
)

Text: TypeAlias = str | bytes
Read = TypeVar("Read")

_RECOVER = "Copy it from where the run was trained, or train again"
_TEXTS = 16  # texts handed to `tokenizers` at once, for its threads


class Vocabulary:
    """The symbols of one corpus, learned from it or loaded from a run's `tokenizer.json`.

    >>> vocabulary = Vocabulary.learn("char", [["to be ", "or not"]])
    >>> vocabulary.size  # seven characters and the boundary
    8
    >>> ids = vocabulary.encode("not to be")
    >>> vocabulary.decode(ids)
    'not to be'

    Attributes: `kind`; `size`, the number of symbols; `boundary`, the number of the symbol that starts a
    document; `unknown`, the number of what stands for text never seen: ` <unk>` (word), U+FFFD (char, where it
    was asked for), else None; `dtype`, the smallest unsigned type that holds a symbol's number; and `tokenizer`.
    """

    kind: str
    size: int
    boundary: int
    unknown: int | None
    dtype: np.dtype
    tokenizer: Tokenizer

    def __init__(self, tokenizer: Tokenizer):
        state = json.loads(tokenizer.to_str())
        self.kind = tokenizer_kind(state)
        numbers = tokenizer.get_vocab(with_added_tokens=True)
        self.size = len(numbers)
        self.boundary = numbers[BOUNDARY]
        self.unknown = numbers.get(state["model"].get("unk_token"))
        self.dtype = np.min_scalar_type(self.size - 1)
        # Text that spells the boundary is text: it must not become the symbol.
        tokenizer.encode_special_tokens = True
        self.tokenizer = tokenizer
        self._symbols = _symbols(self.kind, numbers)
        self._table = self._lookup_table()
        self._symbol_characters = np.array([count_characters(symbol) for symbol in self._symbols])

    @classmethod
    def learn(
        cls,
        kind: str,
        documents: Iterable[Iterable[str]],
        size: int | None = None,
        *,
        least: int = 1,
        unknown: bool = False,
    ) -> Vocabulary:
        """Find the symbols of `documents`, each an iterable of pieces of text, in one pass over them.

        `size` limits the number of symbols, the boundary included: word (30000 when None, the most frequent
        first) and bpe (2048 when None); char and byte take none. Byte reads nothing of `documents`.
        `least` leaves out a character or word that occurs fewer times, and a pair of bpe that does.
        `unknown` gives a char vocabulary the symbol U+FFFD, which is read where a character was never seen.
        Raises ConfigError for an unknown kind or an impossible size, DataError when there is no text.
        """
        return cls(learn_tokenizer(kind, documents, size, least, unknown))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a `tokenizer.json` that `to_json` gave; RunError when it is missing, damaged or foreign."""
        return read_tokenizer(path, cls.from_json, KINDS)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read what `to_json` gave; ValueError when it is something else."""
        state = json.loads(text)
        if not isinstance(state, dict) or "model" not in state:
            raise ValueError("it holds no tokenizer")
        tokenizer_kind(state)
        return cls(parse_tokenizer(text))

    def to_json(self) -> str:
        """Return the content of `tokenizer.json`, which `tokenizers.Tokenizer.from_str` reads as well."""
        return self.tokenizer.to_str(pretty=True)

    def encode(self, text: Text, where: str = "the prompt", *, whatever: bool = False) -> np.ndarray:
        """Return the symbols of `text` as an array (N,) of `dtype`; no boundary is added.

        Bytes are read by the byte vocabulary only. `where` names the text in errors: DataError when the
        vocabulary lacks a character and has no unknown (with `whatever`, the boundary stands for it), or when
        the text is not Unicode (a lone surrogate).
        """
        if self.kind == "char" and (whatever or self.unknown is not None):
            return self._table.take(code_points(as_unicode(_as_text(text, where), where)), mode="clip")
        if self.kind == "char":
            return self._encode_characters(_as_text(text, where), where)
        if self.kind == "byte":
            return self._table[np.frombuffer(_as_bytes(text, where), np.uint8)]
        ids = self.tokenizer.encode(as_unicode(_as_text(text, where), where), add_special_tokens=False).ids
        return np.array(ids, self.dtype)

    def encode_pieces(self, pieces: Iterable[Text], where: str = "the text") -> Iterator[np.ndarray]:
        """Encode one document that comes in pieces, in bounded memory: the arrays joined are its symbols.

        Where a piece ends does not matter: word and bpe cut the text again, between words.
        """
        if self.kind in ("char", "byte"):
            yield from (self.encode(piece, where) for piece in pieces)
            return
        texts = (as_unicode(_as_text(piece, where), where) for piece in pieces)
        for batch in batched(cut_between_words(texts, TEXT_CHARACTERS), _TEXTS):
            for encoding in self.tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield np.array(encoding.ids, self.dtype)

    def decode(self, ids) -> str:
        """Return the text of `ids` (any sequence, array or tensor of numbers); the boundary has none.

        Bytes that are not UTF-8, which a byte or bpe model may draw, read as U+FFFD.
        """
        symbols = (self._symbols[number] for number in np.asarray(ids).ravel().tolist())
        return b"".join(symbols).decode("utf-8", "replace")

    def decoder(self) -> StreamDecoder:
        """Return a decoder that takes symbols one at a time and gives text as soon as it is certain."""
        return StreamDecoder(self._symbols)

    def characters(self, ids) -> int:
        """Return how many characters `ids` stand for, without decoding; ` <unk>` counts as it is written."""
        return int(self._symbol_characters[np.asarray(ids, np.int64)].sum())

    def _lookup_table(self) -> np.ndarray:
        """Return code point (char) or byte (byte) → symbol; what has none gives the unknown, or else the boundary."""
        if self.kind == "char":
            points = np.array([ord(s.decode("utf-8")) if s else -1 for s in self._symbols])
        elif self.kind == "byte":
            points = np.array([s[0] if s else -1 for s in self._symbols])
        else:
            return np.empty(0, self.dtype)
        # One place more than needed: whatever lies beyond is clipped to it, and is unknown.
        beyond = self.boundary if self.unknown is None else self.unknown
        table = np.full(max(256, int(points.max()) + 2), beyond, self.dtype)
        known = points >= 0
        table[points[known]] = np.flatnonzero(known)
        return table

    def _encode_characters(self, text: str, where: str) -> np.ndarray:
        points = code_points(text)
        ids = self._table.take(points, mode="clip")
        unknown = ids == self.boundary
        if unknown.any():
            raise self._unknown_characters(points[unknown], where)
        return ids

    def _unknown_characters(self, points: np.ndarray, where: str) -> DataError:
        _, first = np.unique(points, return_index=True)
        named = [name_character(int(point)) for point in points[np.sort(first)[:5]]]
        more = f" and {len(first) - 5} more" if len(first) > 5 else ""
        return DataError(
            where,
            f"the vocabulary does not hold {', '.join(named)}{more}",
            f"It holds the {self.size - 1} characters of the training text",
            "Leave them out, or train with --tokens byte, which reads every text",
        )


def read_tokenizer(path: Path, parse: Callable[[str], Read], kinds: Sequence[str]) -> Read:
    """Return what `parse` makes of a file of a run; RunError where it is missing, damaged or foreign."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        possible = "A run folder holds its vocabulary there"
        raise RunError(str(path), f"cannot be read ({error.strerror})", possible, _RECOVER) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        possible = f"Possible: a {path.name} that training wrote, of kind {', '.join(kinds)}"
        raise RunError(str(path), f"not a vocabulary of Ostinato ({error})", possible, _RECOVER) from error


def parse_tokenizer(text: str) -> Tokenizer:
    """Return the tokenizer of a JSON; ValueError where it is none."""
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # `tokenizers` raises this very class for a text it cannot read
        if type(error) is not Exception:
            raise
        raise ValueError(str(error)) from error


class StreamDecoder:
    """Turns symbols into text one at a time; what was given so far is never taken back.

    A character whose bytes come in several symbols is given with the last of them. All texts joined, `flush`
    included, are `Vocabulary.decode` of all symbols.
    """

    def __init__(self, symbols: Sequence[bytes]):
        self._symbols = symbols
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, number) -> str:
        """Return the text that `number` makes certain: often its own, sometimes none."""
        return self._utf8.decode(self._symbols[int(number)])

    def flush(self) -> str:
        """Return what is left of an unfinished character, and be ready for a new text."""
        rest = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return rest


def count_characters(text: Text) -> int:
    """Return the number of characters of a text, or of bytes read as UTF-8."""
    if isinstance(text, str):
        return len(text)
    return int(np.count_nonzero((np.frombuffer(text, np.uint8) & 0xC0) != 0x80))


def batched(texts: Iterable[str], count: int) -> Iterator[list[str]]:
    """Give so many of `texts` at a time."""
    iterator = iter(texts)
    while batch := list(itertools.islice(iterator, count)):
        yield batch


def _symbols(kind: str, numbers: dict[str, int]) -> list[bytes]:
    """Return the UTF-8 bytes of every symbol, in order; the boundary has none."""
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise ValueError("its symbols are not numbered 0, 1, 2, …")
    in_order = sorted(numbers, key=numbers.__getitem__)
    if kind in ("char", "word"):
        return [b"" if symbol == BOUNDARY else symbol.encode("utf-8") for symbol in in_order]
    byte = {character: bytes([number]) for number, character in enumerate(byte_characters())}
    if not byte.keys() <= numbers.keys():
        raise ValueError("it lacks some of the 256 bytes")
    return [b"" if symbol == BOUNDARY else b"".join(byte[c] for c in symbol) for symbol in in_order]


def _as_text(text: Text, where: str) -> str:
    if isinstance(text, bytes):
        raise DataError(where, "bytes", "This vocabulary reads text; --tokens byte reads bytes")
    return text


def _as_bytes(text: Text, where: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        # A command line gives bytes that are not UTF-8 as surrogates; they are those bytes again.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise not_unicode(text, error, where) from None
