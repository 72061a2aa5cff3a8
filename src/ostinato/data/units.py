"""`Units`: what one side of a pair is written in, and how it is read as numbers and given back as text.

| kind | one unit is | reads back |
|---|---|---|
| char | one Unicode character | exactly; one never seen as U+FFFD |
| byte | one byte of UTF-8 | exactly |
| word | a word or punctuation mark with the space before it | exactly, but ` <unk>` |
| bpe | a frequent run of bytes (byte-pair encoding) | exactly |
| symbols | a symbol between white space, or of a side that is cut already: a phone, a tag | a space between two |

A side's first word has the space before it too, so that it is one unit wherever it stands; the text given back has
none. Small letters and the composed form of letters with marks (NFC) are the caller's choice, kept with the units.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.learning import BOUNDARY, check_least, nothing_so_often
from ostinato.data.learning import KINDS as TEXT_KINDS
from ostinato.data.lines import clean
from ostinato.data.vocabulary import StreamDecoder, Vocabulary, batched, parse_tokenizer, read_tokenizer

Side: TypeAlias = str | tuple[str, ...]
"""A side of a pair: text, or symbols that it is cut into already."""

KINDS = (*TEXT_KINDS, "symbols")
UNKNOWN_SYMBOL = "<unk>"
_SIDES = 1000  # sides whose characters are counted at once
_LEAST_SYMBOLS = 3  # the boundary, <unk> and one symbol


class Units:
    """The units of one side of pairs, learned from it or read from what `to_json` gave.

    >>> units = Units.learn("word", ["The cat sat.", "The dog sat."], lowercase=True)
    >>> units.decode(units.encode("The dog sat."))
    'the dog sat.'
    >>> units.decode(units.encode("A dog sat."))
    '<unk> dog sat.'
    >>> phones = Units.learn("symbols", ["K AE T", ("D", "AO", "G")])
    >>> phones.decode(phones.encode(("K", "AO", "T")))
    'K AO T'

    Attributes: `kind`; `size`, the number of units, the boundary included; `boundary`, the number that starts and
    ends a sequence; `unknown`, the number of what was never learned (None for byte and bpe, which read all text);
    `dtype`, the smallest unsigned type that holds a number; `lowercase` and `composed`, what is done to text first.
    """

    kind: str
    size: int
    boundary: int
    unknown: int | None
    dtype: np.dtype
    lowercase: bool
    composed: bool

    def __init__(self, tokenizer: Tokenizer):
        state = json.loads(tokenizer.to_str())
        steps = _steps(state)
        self.lowercase, self.composed = "Lowercase" in steps, "NFC" in steps
        self._normalizer = tokenizer.normalizer
        self._tokenizer = tokenizer
        self._prefix = " " if "Prepend" in steps else ""
        self._reader = reader = _Symbols(tokenizer) if _is_symbols(state) else Vocabulary(tokenizer)
        self.kind, self.size, self.dtype = reader.kind, reader.size, reader.dtype
        self.boundary, self.unknown = reader.boundary, reader.unknown

    @classmethod
    def learn(
        cls,
        kind: str,
        sides: Iterable[Side],
        size: int | None = None,
        *,
        least: int = 1,
        lowercase: bool = False,
        composed: bool = False,
    ) -> Units:
        """Find the units of `sides` in one pass over them.

        size       how many there are at most, the boundary and the unknown included: word (30000 when None, the
                   most frequent first), bpe (2048 when None), symbols (all when None); char and byte take none.
        least      how often a character, word or symbol, or a pair of bpe, occurs at least; byte takes none.
        lowercase  whether text is read in small letters.
        composed   whether letters with marks are read as one character where Unicode has it (NFC).

        Raises ConfigError for a kind, a size or a number of times that is none, DataError where there is no text.
        """
        if kind not in KINDS:
            raise ConfigError("tokens", f"'{kind}'", f"Possible: {', '.join(KINDS)}", did_you_mean(kind, KINDS))
        normalizer = _normalizer(kind, lowercase, composed)
        if kind == "symbols":
            tokenizer = _symbols_tokenizer(sides, normalizer, size, least)
        else:
            texts = (_written(as_text(side), normalizer) for side in sides)
            tokenizer = Vocabulary.learn(kind, _documents(kind, texts), size, least=least, unknown=True).tokenizer
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> Units:
        """Read a file that holds what `to_json` gave; RunError when it is missing, damaged or foreign."""
        return read_tokenizer(path, cls.from_json, KINDS)

    @classmethod
    def from_json(cls, text: str) -> Units:
        """Read what `to_json` gave; ValueError when it is something else."""
        state = json.loads(text)
        if isinstance(state, dict) and _is_symbols(state):
            tokenizer = parse_tokenizer(text)
        else:
            tokenizer = Vocabulary.from_json(text).tokenizer  # with its ValueErrors
        return cls(tokenizer)

    def to_json(self) -> str:
        """Return all that reads text again, which `tokenizers.Tokenizer.from_str` reads as well."""
        return self._tokenizer.to_str(pretty=True)

    def encode(self, side: Side) -> np.ndarray:
        """Return the units of a side as an array (N,) of `dtype`; no boundary is added.

        What was never learned is `unknown`, whatever it is: the caller counts it.
        """
        if isinstance(self._reader, _Symbols):
            return self._reader.encode(self._cut(side))
        # `tokenizers` itself does to words and byte pairs what is to be done; characters and bytes never reach it.
        by_itself = self.kind in ("word", "bpe")
        return self._reader.encode(_written(as_text(side), None if by_itself else self._normalizer))

    def decode(self, ids) -> str:
        """Return the text of `ids` (any sequence, array or tensor of numbers); the boundary has none."""
        return self._reader.decode(ids).removeprefix(self._prefix)

    def pieces(self, ids) -> list[str]:
        """Return what each of `ids` stands for, as a table or a picture shows it; of the boundary "".

        Bytes that are not a whole character read as U+FFFD.
        """
        return [self._reader.decode([number]) for number in np.asarray(ids).ravel().tolist()]

    def decoder(self) -> StreamDecoder | SpacedDecoder:
        """Return a decoder that takes units one at a time: it gives `decode` of all, but for a first space."""
        return SpacedDecoder(self._reader) if isinstance(self._reader, _Symbols) else self._reader.decoder()

    def text(self, side: Side) -> str:
        """Return a side as `decode` gives it back where all of it is known: what a hypothesis is compared with."""
        if self.kind == "symbols":
            return " ".join(self._cut(side))
        return _written(as_text(side), self._normalizer).removeprefix(self._prefix)

    def words(self, side: Side) -> list[str]:
        """Return the words of a side as they stand, known or not, where units are words: one for each unit."""
        text = _written(as_text(side), self._normalizer)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]  # type: ignore[union-attr]

    def _cut(self, side: Side) -> list[str]:
        return cut(side, self._normalizer)


class _Symbols:
    """Symbols of a tokenizer that cuts text at white space."""

    kind = "symbols"

    def __init__(self, tokenizer: Tokenizer):
        self._numbers = tokenizer.get_vocab(with_added_tokens=True)
        if sorted(self._numbers.values()) != list(range(len(self._numbers))) or UNKNOWN_SYMBOL not in self._numbers:
            raise ValueError("its symbols are not numbered 0, 1, 2, …, or it lacks the unknown")
        self._written = sorted(self._numbers, key=self._numbers.__getitem__)
        self.size = len(self._numbers)
        self.dtype = np.min_scalar_type(self.size - 1)
        # Text that spells the boundary is a symbol that was never learned.
        self.boundary, self.unknown = self._numbers.pop(BOUNDARY), self._numbers[UNKNOWN_SYMBOL]
        tokenizer.encode_special_tokens = True

    def encode(self, symbols: Sequence[str]) -> np.ndarray:
        """Return the numbers of symbols."""
        return np.array([self._numbers.get(symbol, self.unknown) for symbol in symbols], self.dtype)

    def decode(self, ids) -> str:
        """Return symbols with a space between two."""
        return " ".join(self._written[i] for i in np.asarray(ids).ravel().tolist() if i != self.boundary)


class SpacedDecoder:
    """Turns symbols into text one at a time, a space before each."""

    def __init__(self, symbols: _Symbols):
        self._symbols = symbols

    def push(self, number) -> str:
        """Return a space and the symbol."""
        text = self._symbols.decode([int(number)])
        return f" {text}" if text else ""

    def flush(self) -> str:
        """Return nothing: no symbol is unfinished."""
        return ""


def as_text(side: Side) -> str:
    """Return a side as one text: of symbols, with a space between two."""
    return side if isinstance(side, str) else " ".join(side)


def cut(side: Side, normalizer: Any = None) -> list[str]:
    """Return the symbols of a side: as it is cut, or cut at white space; each as the normalizer writes it."""
    if isinstance(side, str):
        return _written(side, normalizer).split()
    return [_written(symbol, normalizer) for symbol in side]


def _symbols_tokenizer(sides: Iterable[Side], normalizer: Any, size: int | None, least: int) -> Tokenizer:
    check_least("symbols", least)
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < _LEAST_SYMBOLS):
        possible = f"There are at least {_LEAST_SYMBOLS} symbols: the boundary, <unk> and one more"
        raise ConfigError("vocabulary size", f"{size!r}", possible)
    counts = Counter(itertools.chain.from_iterable(cut(side, normalizer) for side in sides))
    if not counts:
        raise DataError("the text", "no symbols", "Units are learned from at least one", "Check the file")
    counts.pop(UNKNOWN_SYMBOL, None)
    counts.pop(BOUNDARY, None)
    in_order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    known = [symbol for symbol in in_order if counts[symbol] >= least]
    if not known:
        raise nothing_so_often(least)
    known = known if size is None else known[: size - 2]
    numbers = {symbol: number for number, symbol in enumerate([BOUNDARY, UNKNOWN_SYMBOL, *known])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN_SYMBOL))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(BOUNDARY, special=True)])
    return tokenizer


def _normalizer(kind: str, lowercase: bool, composed: bool) -> Any:
    """Return what `tokenizers` does to text before it is cut; None where that is nothing."""
    steps: list[Any] = [normalizers.NFC()] * composed + [normalizers.Lowercase()] * lowercase
    steps += [normalizers.Prepend(" ")] * (kind in ("word", "bpe"))
    return normalizers.Sequence(steps) if steps else None


def _written(text: str, normalizer: Any) -> str:
    """Return text as it is read: without what is no character, and normalised."""
    return clean(text) if normalizer is None else normalizer.normalize_str(clean(text))


def _documents(kind: str, texts: Iterable[str]) -> Iterable[list[str]]:
    """Give texts as `Vocabulary` learns from them: no word reaches from one into the next."""
    return (["".join(some)] for some in batched(texts, _SIDES if kind == "char" else 1))


def _is_symbols(state: dict[str, Any]) -> bool:
    splits, model = state.get("pre_tokenizer") or {}, state.get("model") or {}
    named = [token.get("content") for token in state.get("added_tokens", [])]
    return (model.get("type"), splits.get("type")) == ("WordLevel", "WhitespaceSplit") and BOUNDARY in named


def _steps(state: dict[str, Any]) -> list[str]:
    """Return what is done to text first, by the names `tokenizers` has for it."""
    normalizer = state.get("normalizer") or {}
    return [step.get("type") for step in normalizer.get("normalizers", [normalizer])]
