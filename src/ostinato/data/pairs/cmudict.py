"""Pronouncing dictionaries in the layout of CMUdict: a word and its phones a line, other pronunciations as word(2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ostinato.data.pairs.pair import Pair, Pairs
from ostinato.data.place import Place
from ostinato.data.rows.source import Source, lines_of

_PHONE = re.compile(
    "(AA|AE|AH|AO|AW|AY|B|CH|D|DH|EH|ER|EY|F|G|HH|IH|IY|JH|K|L|M|N|NG|OW|OY|P|R|S|SH|T|TH|UH|UW|V|W|Y|Z|ZH)[012]?"
)  # the 39 of ARPAbet, with a digit for stress
_VARIANT = re.compile(r"(.+)\(\d+\)")
_COMMENT = ";;;"
_NOTE = re.compile(r"\s#(\s.*)?$")


def cmudict_pairs(source: Source, encoding: str, *, stress: bool) -> Pairs:
    """Read words and their phones; pronunciations of one word that follow each other are references of one pair.

    `stress` keeps the digit after a vowel that says how it is stressed (AH0). Lines that begin with ;;; and what
    follows # are notes. A word without phones has no targets.
    """

    def read() -> Iterator[Pair]:
        return _pairs(lines_of(source, encoding), source.name, stress)

    words = f"a dictionary of words and phones (CMUdict), {'with' if stress else 'without'} stress"
    return Pairs(source.name, "cmudict", words, ("char", "symbols"), read)


def looks_like_cmudict(lines: Sequence[str]) -> bool:
    """Say whether lines are words with ARPAbet phones after them: nearly all, where something follows the word."""
    entries = [_entry(line)[1] for line in lines if _is_entry(line)]
    right = [bool(phones) and all(map(_PHONE.fullmatch, phones)) for phones in entries]
    return len(right) > 0 and sum(right) >= 0.9 * len(right)


def _pairs(lines: Iterable[tuple[int, str]], name: str, stress: bool) -> Iterator[Pair]:
    entries = ((number, *_entry(line)) for number, line in lines if _is_entry(line))
    for word, spoken in groupby(entries, key=lambda entry: entry[1]):
        numbers, _, phones = zip(*spoken, strict=True)
        said = [tuple(phone if stress else phone.rstrip("012") for phone in one) for one in phones if one]
        yield Pair(Place(name, numbers[0]), word, tuple(dict.fromkeys(said)))


def _is_entry(line: str) -> bool:
    return bool(_NOTE.sub("", line).strip()) and not line.startswith(_COMMENT)


def _entry(line: str) -> tuple[str, list[str]]:
    """Return the word of a line, without the number of its variant, and its phones."""
    word, *phones = _NOTE.sub("", line).split()
    variant = _VARIANT.fullmatch(word)
    return (variant[1] if variant else word), phones
