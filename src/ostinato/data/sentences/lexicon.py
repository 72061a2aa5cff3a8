"""`Lexicon`: the words and characters that a tagger knows, and sentences as numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 0
"""The number of a word, and of a character, that was not learned from."""


class Encoded(NamedTuple):
    """A sentence as numbers: of its words (n,), of their characters one after the other, how many each word has."""

    words: NDArray[np.int32]
    letters: NDArray[np.int32]
    spans: NDArray[np.int32]


class Lexicon:
    """Words with how often each was met, and characters, the most frequent first.

    >>> Lexicon.learned([["The", "cat"], ["the"]]).encode(["The", "dog"]).words.tolist()
    [1, 0]

    lowercase  words are known by their small letters; their characters stay what they are.
    longest    characters of a word that are read; of a longer one its first and last.
    """

    def __init__(self, words: dict[str, int], characters: Iterable[str], *, lowercase: bool, longest: int):
        self.counts, self.characters = words, list(characters)
        self.lowercase, self.longest = lowercase, longest
        self._words = {word: number for number, word in enumerate(words, 1)}
        self._characters = {character: number for number, character in enumerate(self.characters, 1)}

    @classmethod
    def learned(
        cls, sentences: Iterable[Sequence[str]], *, least: int = 1, lowercase: bool = True, longest: int = 32
    ) -> Lexicon:
        """Return the lexicon of sentences, each its words; those met fewer than `least` times are unknown."""
        words, characters = Counter[str](), Counter[str]()
        for sentence in sentences:
            words.update(word.lower() if lowercase else word for word in sentence)
            characters.update("".join(sentence))
        known = {word: count for word, count in _ordered(words) if count >= least}
        return cls(known, (c for c, _ in _ordered(characters)), lowercase=lowercase, longest=longest)

    def encode(self, words: Sequence[str]) -> Encoded:
        """Return the words as numbers."""
        numbers = [self._words.get(word.lower() if self.lowercase else word, UNKNOWN) for word in words]
        shown = [self._shortened(word) for word in words]
        letters = [self._characters.get(character, UNKNOWN) for word in shown for character in word]
        spans = [len(word) for word in shown]
        return Encoded(*(np.array(part, np.int32) for part in (numbers, letters, spans)))

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(
            {
                "words": self.counts,
                "characters": self.characters,
                "lowercase": self.lowercase,
                "longest": self.longest,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Lexicon:
        """Read what `to_json` gave; ValueError, KeyError or TypeError where it is something else."""
        parts: dict[str, Any] = json.loads(text)
        return cls(parts["words"], parts["characters"], lowercase=parts["lowercase"], longest=parts["longest"])

    def _shortened(self, word: str) -> str:
        if len(word) <= self.longest:
            return word
        first = -(-self.longest // 2)
        return word[:first] + word[len(word) - (self.longest - first) :]


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return names and counts, the most frequent first, of equals in the order of their characters."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
