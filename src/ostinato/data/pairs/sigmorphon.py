"""Inflection in the layout of SIGMORPHON: lemma, form and features, such as N;GEN;PL, between tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ostinato._errors import DataError
from ostinato.data.pairs.pair import Pair, Pairs
from ostinato.data.place import Place
from ostinato.data.rows.source import Source, lines_of

SPACE = "␣"
"""What a space within a lemma is written as among symbols."""
_FEATURES = re.compile(r"[A-Z][\w.+/{}():-]*(;[A-Z0-9][\w.+/{}():-]*)*")


def sigmorphon_pairs(source: Source, encoding: str) -> Pairs:
    """Read lemma, form and features a line, or lemma and features where there are no forms; blank lines are none.

    The source is the features, then the characters of the lemma: <N> <GEN> <PL> e v. The target is the form.
    Raises DataError for a line that has fewer or more fields.
    """

    def read() -> Iterator[Pair]:
        for number, line in lines_of(source, encoding):
            if line.strip():
                yield _pair(line, Place(source.name, number))

    words = "inflections (SIGMORPHON): lemma, form and features"
    return Pairs(source.name, "sigmorphon", words, ("symbols", "char"), read)


def looks_like_sigmorphon(lines: Sequence[str]) -> bool:
    """Say whether lines have three fields, of which the last is features: nearly all, and several features in some."""
    fields = [line.split("\t") for line in lines if line.strip()]
    right = [len(row) == 3 and _FEATURES.fullmatch(row[2].strip()) is not None for row in fields]
    several = any(row[-1].count(";") for row in fields)
    return len(right) > 0 and several and sum(right) >= 0.9 * len(right)


def asked_form(text: str, place: Place) -> Pair:
    """Return the pair of a lemma and features between which a tab or white space stands; without a form."""
    lemma, tab, features = text.strip().rpartition("\t")
    if not tab:
        lemma, _, features = text.strip().rpartition(" ")
    if not lemma or not _FEATURES.fullmatch(features.strip()):
        possible = "A line holds lemma, form and features between tabs; without a form, lemma and features: ev N;GEN;PL"
        raise DataError(str(place), f"no features in {text!r:.60}", possible, "Write them after the lemma")
    return Pair(place, _source(lemma, features), ())


def _pair(line: str, place: Place) -> Pair:
    fields = line.split("\t")
    if len(fields) < 3:
        return asked_form(line, place)
    if len(fields) != 3:
        possible = "A line holds lemma, form and features between tabs"
        raise DataError(str(place), f"{len(fields)} fields: {line[:60]!r}", possible, "Correct or remove the line")
    lemma, form, features = (field.strip() for field in fields)
    return Pair(place, _source(lemma, features), (form,) if form else ())


def _source(lemma: str, features: str) -> tuple[str, ...]:
    named = [f"<{feature.strip()}>" for feature in features.split(";") if feature.strip()]
    letters = [SPACE if letter.isspace() else letter for letter in lemma.strip()]
    return (*named, *letters) if letters else ()
