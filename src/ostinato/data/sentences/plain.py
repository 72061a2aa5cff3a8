"""Plain text for a tagger to read: a sentence a line, its words between spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ostinato.data.place import Place
from ostinato.data.sentences.sentence import Sentence


class Plain:
    """One line is one sentence, without tags."""

    name = "plain text (a sentence a line, words between spaces)"

    def read(self, where: str, number: int, lines: Sequence[str]) -> Sentence:
        """Return the sentence in the one line."""
        return Sentence(Place(where, number), lines[0].split(), None, lines)

    def write(self, sentence: Sentence, tags: Sequence[str]) -> Iterator[str]:
        """Yield a word and its tag a line, as CoNLL columns."""
        yield from (f"{word}\t{tag}" for word, tag in zip(sentence.words, tags, strict=True))
