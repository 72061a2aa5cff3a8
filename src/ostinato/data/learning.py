"""Learns how text splits into symbols: a `tokenizers.Tokenizer` of each kind, from text in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from ostinato._errors import ConfigError, DataError, did_you_mean

KINDS = ("char", "byte", "word", "bpe")
BOUNDARY = "<|boundary|>"
# The space in front belongs to the symbol, as it does for every word, so that decoded text stays readable.
UNKNOWN = " <unk>"
UNKNOWN_CHARACTER = "\ufffd"
DEFAULT_SIZES = {"word": 30_000, "bpe": 2048}
TEXT_CHARACTERS = 1 << 16  # text handed to `tokenizers` at once; its encodings take about 100 bytes a symbol

_ONE_CHARACTER = r"[\s\S]"
_WORD = r" ?[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}]+)*| ?[^\s\p{L}\p{M}\p{N}_]|\s"
_CODE_POINTS = 0x110000


def learn_tokenizer(
    kind: str, documents: Iterable[Iterable[str]], size: int | None, least: int = 1, unknown: bool = False
) -> Tokenizer:
    """Learn a tokenizer; see `Vocabulary.learn`."""
    if kind not in KINDS:
        raise ConfigError("tokens", f"'{kind}'", f"Possible: {', '.join(KINDS)}", did_you_mean(kind, KINDS))
    _check_size(kind, size)
    check_least(kind, least)
    if kind == "char":
        return _learn_characters(documents, least, unknown)
    if kind == "byte":
        return _bytes_tokenizer()
    learn = _learn_words if kind == "word" else _learn_byte_pairs
    return learn(documents, size or DEFAULT_SIZES[kind], least)


def tokenizer_kind(state: dict) -> str:
    """Return the kind of a tokenizer's JSON: the one whose way to split text it has; else ValueError."""
    splits = state.get("pre_tokenizer") or {}
    pattern = (splits.get("pattern") or {}).get("Regex")
    kinds = {
        ("WordLevel", "Split", _ONE_CHARACTER): "char",
        ("WordLevel", "Split", _WORD): "word",
        ("BPE", "ByteLevel", False): "byte",
        ("BPE", "ByteLevel", True): "bpe",
    }
    kind = kinds.get((state["model"].get("type"), splits.get("type"), splits.get("use_regex", pattern)))
    if kind is None or BOUNDARY not in [token.get("content") for token in state.get("added_tokens", [])]:
        raise ValueError("it splits text in another way, or has no boundary")
    return kind


def _check_size(kind: str, size: int | None) -> None:
    if size is None:
        return
    if kind not in DEFAULT_SIZES:
        raise ConfigError(
            "vocabulary size",
            f"{size} with --tokens {kind}",
            "A size belongs to --tokens word or bpe",
            f"Leave it out: the text decides how many symbols a {kind} vocabulary has",
        )
    least = 3 if kind == "word" else 257
    if isinstance(size, bool) or not isinstance(size, int) or size < least:
        reason = "the boundary, <unk> and one word" if kind == "word" else "the boundary and 256 bytes"
        raise ConfigError("vocabulary size", f"{size!r}", f"A {kind} vocabulary has at least {least}: {reason}")


def check_least(kind: str, least: int) -> None:
    """Raise ConfigError unless `least` can be how often a symbol of `kind` occurs at least."""
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise ConfigError("least", f"{least!r}", "Possible: 1, which keeps whatever occurs, or more")
    if kind == "byte" and least > 1:
        raise ConfigError("least", f"{least} with --tokens byte", "Every byte is a symbol", "Leave it out")


def _learn_characters(documents: Iterable[Iterable[str]], least: int, unknown: bool) -> Tokenizer:
    counts = np.zeros(_CODE_POINTS, np.int64)
    for piece in itertools.chain.from_iterable(documents):
        times = np.bincount(code_points(as_unicode(piece, "the text")))
        counts[: len(times)] += times
    characters = [chr(point) for point in np.flatnonzero(counts >= least)]
    if not counts.any():
        raise _no_text()
    if not characters:
        raise nothing_so_often(least)
    if not unknown:
        return _words_tokenizer([BOUNDARY, *characters], _ONE_CHARACTER, unknown=UNKNOWN)
    others = [character for character in characters if character != UNKNOWN_CHARACTER]
    return _words_tokenizer([BOUNDARY, UNKNOWN_CHARACTER, *others], _ONE_CHARACTER, unknown=UNKNOWN_CHARACTER)


def nothing_so_often(least: int) -> DataError:
    """Return the error that no symbol occurs `least` times."""
    got = f"no symbol occurs {least} times in it"
    return DataError("the text", got, "Those that occur fewer times are unknown", "Ask for fewer times")


def _learn_words(documents: Iterable[Iterable[str]], size: int, least: int) -> Tokenizer:
    scratch = Tokenizer(models.WordLevel({}, unk_token=UNKNOWN))
    scratch.pre_tokenizer = _pre_tokenizer("word")
    # Two symbols of `size` are the boundary and <unk>, which no text has.
    trainer = trainers.WordLevelTrainer(vocab_size=size - 2, min_frequency=least, show_progress=False)
    texts = _texts(documents)
    first = next(texts, None)
    if first is None:
        raise _no_text()
    scratch.train_from_iterator(itertools.chain([first], texts), trainer)
    numbers = scratch.get_vocab()
    if not numbers:
        raise nothing_so_often(least)
    return _words_tokenizer([BOUNDARY, UNKNOWN, *sorted(numbers, key=numbers.__getitem__)], _WORD, UNKNOWN)


def _words_tokenizer(symbols: list[str], pattern: str, unknown: str) -> Tokenizer:
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(BOUNDARY, special=True)])
    return tokenizer


def _learn_byte_pairs(documents: Iterable[Iterable[str]], size: int, least: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer("bpe")
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=least,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(BOUNDARY, special=True)],
        show_progress=False,
    )
    texts = _texts(documents)
    first = next(texts, None)
    if first is None:
        raise _no_text()
    tokenizer.train_from_iterator(itertools.chain([first], texts), trainer)
    return tokenizer


def _bytes_tokenizer() -> Tokenizer:
    numbers = {character: byte for byte, character in enumerate(byte_characters())}
    tokenizer = Tokenizer(models.BPE({**numbers, BOUNDARY: 256}, []))
    tokenizer.pre_tokenizer = _pre_tokenizer("byte")
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(BOUNDARY, special=True)])
    return tokenizer


def _pre_tokenizer(kind: str) -> pre_tokenizers.PreTokenizer:
    if kind == "char":
        return pre_tokenizers.Split(Regex(_ONE_CHARACTER), "isolated")
    if kind == "word":
        return pre_tokenizers.Split(Regex(_WORD), "isolated")
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind == "bpe")


def _no_text() -> DataError:
    return DataError("the text", "no characters", "A vocabulary is learned from at least one", "Check the file")


def _texts(documents: Iterable[Iterable[str]]) -> Iterator[str]:
    for document in documents:
        yield from cut_between_words((as_unicode(piece, "the text") for piece in document), TEXT_CHARACTERS)


def cut_between_words(pieces: Iterable[str], size: int) -> Iterator[str]:
    """Cut a text that comes in pieces into texts of at most `size` characters, each ending with a word.

    A cut stands before a space, a tab or a newline that follows a word. Splitting into words or for byte-pair
    encoding never reaches over such a place, so the texts have exactly the symbols of the whole. Only where
    `size` characters hold no such place is the cut made at `size`.
    """
    pending = ""
    for piece in pieces:
        pending += piece
        start = 0
        while len(pending) - start > size:
            end = _last_gap(pending, start, start + size)
            yield pending[start:end]
            start = end
        pending = pending[start:]
    if pending:
        yield pending


def _last_gap(text: str, start: int, end: int) -> int:
    gap = end + 1
    while True:
        gap = max(text.rfind(space, start + 1, gap) for space in " \n\t")
        if gap < 0:
            return end
        if not text[gap - 1].isspace():
            return gap


def byte_characters() -> list[str]:
    """Return the character that stands for each byte in byte-level BPE (GPT-2's table).

    Bytes that print stand for themselves; the others, in order, are the characters from U+0100 on.
    """
    printing = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return [chr(byte if byte in printing else next(others)) for byte in range(256)]


def code_points(text: str) -> np.ndarray:
    """Return the code points of `text` as an array (N,): uint8 where all are ASCII, else uint32."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def as_unicode(text: str, where: str) -> str:
    """Return `text`; DataError when it holds a lone surrogate, which `tokenizers` cannot read."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise not_unicode(text, error, where) from None
    return text


def not_unicode(text: str, error: UnicodeEncodeError, where: str) -> DataError:
    """Return the error for a text that UTF-8 cannot hold."""
    return DataError(
        where,
        f"{name_character(ord(text[error.start]))} at character {error.start}, half a surrogate pair",
        "Possible: any Unicode text",
        "Leave it out, or type the text in a UTF-8 terminal",
    )


def name_character(point: int) -> str:
    """Return a character as errors show it: 'ü' (U+00FC), or only its number where it does not print."""
    character = chr(point)
    return f"'{character}' (U+{point:04X})" if character.isprintable() else f"U+{point:04X}"
