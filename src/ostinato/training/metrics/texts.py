"""Figures of texts beside references: BLEU and chrF are `sacrebleu`'s, error rates `jiwer`'s.

| figure | what it is | range |
|---|---|---|
| bleu | BLEU-4 of the corpus (Papineni et al., 2002) | 0 to 100, larger is better |
| chrf | chrF2 of the corpus (Popović, 2015) | 0 to 100, larger is better |
| wer, per | words, or phones, to change, add and take away, per word of the reference | from 0, smaller is better |
| cer | characters likewise | from 0, smaller is better |
| exact | share of texts that are a reference, but for white space at their ends | 0 to 1 |
| characters | share of places at which the character is right, counted to the end of the longer text | 0 to 1 |

Of several references the one with the lowest rate counts, or with most characters right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ostinato._errors import ConfigError, DataError, did_you_mean

NAMES = ("bleu", "chrf", "wer", "per", "cer", "exact", "characters")
_WRITTEN = {
    "bleu": "BLEU {:.2f}",
    "chrf": "chrF {:.2f}",
    "wer": "WER {:.2%}",
    "per": "PER {:.2%}",
    "cer": "CER {:.2%}",
    "exact": "{:.2%} exactly right",
    "characters": "{:.2%} of characters right",
}


class Texts:
    """Sums figures over texts that come one at a time; `figures` says them.

    >>> seen = Texts(["exact", "cer"])
    >>> seen.add("cat", ["cart", "bat"])
    >>> seen.add("dog", ["dog"])
    >>> seen.figures()
    {'exact': 0.5, 'cer': 0.14285714285714285}

    names      figures, of NAMES.
    lowercase  whether capital letters make no difference.

    Attributes: `items`, how many texts there were. Of BLEU and chrF the texts are kept, of all else only counts.
    Raises ConfigError for a name that is none.
    """

    def __init__(self, names: Sequence[str], *, lowercase: bool = False):
        for name in names:
            if name not in NAMES:
                possible = f"Possible: {', '.join(NAMES)}"
                raise ConfigError("metrics", f"'{name}' is none that is known", possible, did_you_mean(name, NAMES))
        self.items, self._lowercase = 0, lowercase
        self._measures = {name: _measure(name, lowercase) for name in names}

    def add(self, hypothesis: str, references: Sequence[str]) -> None:
        """Add a text beside its references, one at least; any of them may be empty."""
        if not references:
            raise DataError(f"text {self.items + 1}", "no reference", "A figure needs one at least", "Leave it out")
        if self._lowercase:
            hypothesis, references = hypothesis.lower(), [reference.lower() for reference in references]
        self.items += 1
        for measure in self._measures.values():
            measure.add(hypothesis, references)

    def figures(self) -> dict[str, float]:
        """Return the figures by name. Raises DataError where there is no text."""
        if not self.items:
            raise DataError("the texts to measure", "there are none", "A figure needs at least one", "Check the file")
        return {name: measure.figure() for name, measure in self._measures.items()}

    @property
    def signature(self) -> str:
        """How BLEU and chrF were computed, as `sacrebleu` says it: beside a figure in a paper; "" without them."""
        corpora = {name: m for name, m in self._measures.items() if isinstance(m, _Corpus) and self.items}
        return "; ".join(f"{name} {measure.signature()}" for name, measure in corpora.items())


def in_words(figures: dict[str, float]) -> str:
    """Return figures as a line of text.

    >>> in_words({"bleu": 28.4512, "exact": 0.5})
    'BLEU 28.45, 50.00% exactly right'
    """
    return ", ".join(_WRITTEN[name].format(value) for name, value in figures.items() if name in _WRITTEN)


class _Measure(Protocol):
    def add(self, hypothesis: str, references: Sequence[str]) -> None: ...

    def figure(self) -> float: ...


def _measure(name: str, lowercase: bool) -> _Measure:
    if name in ("bleu", "chrf"):
        return _Corpus(name, lowercase)
    if name == "exact":
        return _Share(_exactly)
    if name == "characters":
        return _Share(_characters)
    return _Rate("process_characters" if name == "cer" else "process_words")


class _Corpus:
    """BLEU or chrF of all texts together: neither is a mean over texts."""

    def __init__(self, name: str, lowercase: bool):
        import sacrebleu  # which --help does without

        # What a network writes may look tokenised to `sacrebleu`, which would warn of it.
        bleu = name == "bleu"
        self._metric: Any = sacrebleu.BLEU(lowercase, force=True) if bleu else sacrebleu.CHRF(lowercase=lowercase)
        self._hypotheses: list[str] = []
        self._references: list[list[str]] = []

    def add(self, hypothesis: str, references: Sequence[str]) -> None:
        self._hypotheses.append(hypothesis)
        self._references.append(list(references))

    def figure(self) -> float:
        most = max(map(len, self._references))
        streams = [[row[k] if k < len(row) else None for row in self._references] for k in range(most)]
        return float(self._metric.corpus_score(self._hypotheses, streams).score)

    def signature(self) -> str:
        self.figure()  # which tells it how many references there are
        return str(self._metric.get_signature())


class _Rate:
    """Errors over the length of the references."""

    def __init__(self, process: str):
        import jiwer  # which --help does without

        self._process = getattr(jiwer, process)
        self._errors = self._length = 0

    def add(self, hypothesis: str, references: Sequence[str]) -> None:
        counts = [self._counts(hypothesis, reference) for reference in references]
        errors, length = min(counts, key=lambda count: count[0] / max(count[1], 1))
        self._errors, self._length = self._errors + errors, self._length + length

    def figure(self) -> float:
        return self._errors / max(self._length, 1)

    def _counts(self, hypothesis: str, reference: str) -> tuple[int, int]:
        found = self._process(reference, hypothesis)
        kept = found.hits + found.substitutions + found.deletions
        return found.substitutions + found.deletions + found.insertions, kept


class _Share:
    """What is right, of all that could be; of several references the best."""

    def __init__(self, right: Callable[[str, str], tuple[int, int]]):
        self._right = right
        self._sum = self._of = 0

    def add(self, hypothesis: str, references: Sequence[str]) -> None:
        counts = [self._right(hypothesis, reference) for reference in references]
        right, of = max(counts, key=lambda count: count[0] / max(count[1], 1))
        self._sum, self._of = self._sum + right, self._of + of

    def figure(self) -> float:
        return self._sum / self._of if self._of else 1.0


def _exactly(hypothesis: str, reference: str) -> tuple[int, int]:
    return int(hypothesis.strip() == reference.strip()), 1


def _characters(hypothesis: str, reference: str) -> tuple[int, int]:
    right = sum(one == other for one, other in zip(hypothesis, reference, strict=False))
    return right, max(len(hypothesis), len(reference))
