"""How tags spell entities of several words: IOB2, BIOES, or not at all; what may follow what.

IOB2 (Tjong Kim Sang and Veenstra, 1999): B-x begins an entity of type x, I-x goes on with it, O is outside. BIOES has
E-x for the last word of an entity and S-x for the only one (also written BILOU, with L and U). In IOB1 an entity begins
with I-x unless it touches another of its type.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError
from ostinato.data.place import Place

Scheme = Literal["plain", "iob2", "bioes"]
SCHEMES = ("auto", "iob2", "bioes", "plain")
OUTSIDE = "O"
_CHUNK = re.compile("([BIESLU])-(.+)", re.DOTALL)
_BILOU = {"L": "E", "U": "S"}
_FOLLOWERS = {"": "OBS", "O": "OBS", "B": "IE", "I": "IE", "E": "OBS", "S": "OBS"}
"""BIOES: what may follow a prefix; "" is the sentence's beginning."""


class SchemeSniffer:
    """Sees the tags of sentences one after the other, and says in which scheme they are.

    >>> sniffer = SchemeSniffer()
    >>> sniffer.see(["B-place", "I-place", "O", "I-name"])
    >>> sniffer.scheme(), sniffer.said()
    ('iob2', 'IOB2; entities that begin with I- (1 of 2) are read as if with B-')
    """

    def __init__(self):
        self._prefixes: Counter[str] = Counter()
        self._begun_inside = self._needless = 0

    def see(self, tags: Iterable[str]) -> None:
        """Take the tags of a sentence."""
        before = OUTSIDE
        for tag in tags:
            prefix, kind = split(tag)
            self._prefixes[prefix] += 1
            same = split(before)[1] == kind
            self._begun_inside += prefix == "I" and not same
            self._needless += prefix == "B" and not same  # IOB1 has none of these
            before = tag

    def scheme(self) -> Scheme:
        """Return the scheme of all tags seen."""
        found = set(self._prefixes)
        if "" in found or found <= {"O"}:
            return "plain"
        return "bioes" if found & set("ESLU") else "iob2"

    def said(self) -> str:
        """Return the scheme in words, and what is read otherwise than it is written."""
        scheme = self.scheme()
        if scheme == "plain":
            return "no entities"
        if scheme == "bioes":
            return "BILOU, read as BIOES" if set("LU") & set(self._prefixes) else "BIOES"
        if not self._begun_inside:
            return "IOB2"
        if not self._needless:
            return "IOB1, read as IOB2"
        begun = f"{self._begun_inside:,} of {self._begun_inside + self._prefixes['B']:,}"
        return f"IOB2; entities that begin with I- ({begun}) are read as if with B-"


def split(tag: str) -> tuple[str, str]:
    """Return the prefix of a tag and its type: ("O", "") outside, ("", tag) where it is of no scheme.

    >>> split("B-creative-work"), split("O"), split("NOUN")
    (('B', 'creative-work'), ('O', ''), ('', 'NOUN'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _CHUNK.fullmatch(tag)
    return (match[1], match[2]) if match else ("", tag)


def read_as(scheme: Scheme, tags: Sequence[str], place: Place | str) -> list[str]:
    """Return tags as the scheme writes them: B- where an IOB entity begins, E and S for L and U.

    Raises DataError for tags that spell no entities of the scheme; `place` says where they stand.
    """
    if scheme == "plain":
        return list(tags)
    found: list[str] = []
    for tag in tags:
        prefix, kind = split(tag)
        if scheme == "iob2" and prefix == "I" and (not found or split(found[-1])[1] != kind):
            prefix = "B"
        prefix = _BILOU.get(prefix, prefix) if scheme == "bioes" else prefix
        if prefix not in (set("OBI") if scheme == "iob2" else set("OBIES")):
            raise _no_tag_of(scheme, tag, place)
        found.append(tag if prefix == OUTSIDE else f"{prefix}-{kind}")
    if scheme == "bioes":
        _refuse_torn(found, place)
    return found


def tags_of(scheme: Scheme, written: Iterable[str]) -> list[str]:
    """Return the tags that `read_as` makes of those written, in order: O, then by type.

    >>> tags_of("iob2", ["I-b", "O", "I-a", "B-a"])
    ['O', 'B-a', 'I-a', 'B-b', 'I-b']
    """
    if scheme == "plain":
        return sorted(set(written))
    pairs = {split(tag) for tag in written}
    found = {(kind, _BILOU.get(prefix, prefix) if scheme == "bioes" else prefix) for prefix, kind in pairs}
    if scheme == "iob2":  # an entity that begins with I- is read as if with B-
        found |= {(kind, "B") for kind, prefix in found if prefix == "I"}
    ordered = sorted(found, key=lambda pair: (pair[0], "OBIES".find(pair[1])))
    return [prefix if prefix == OUTSIDE else f"{prefix}-{kind}" for kind, prefix in ordered]


class Following(NamedTuple):
    """Which tags may begin (K,), follow each other (K, K: from, to), and end (K,): bool."""

    starts: NDArray[np.bool_]
    transitions: NDArray[np.bool_]
    ends: NDArray[np.bool_]


def following(scheme: Scheme, tags: Sequence[str]) -> Following:
    """Return what may follow what among `tags`.

    >>> following("iob2", ["O", "B-a", "I-a", "I-b"]).transitions[1].tolist()  # after B-a
    [True, True, True, False]
    """
    may = _may_follow_iob2 if scheme == "iob2" else _may_follow_bioes
    if scheme == "plain":
        return Following(*(np.ones(shape, bool) for shape in ((len(tags),), (len(tags),) * 2, (len(tags),))))
    pairs = [[may(before, tag) for tag in tags] for before in tags]
    ends = [scheme == "iob2" or split(tag)[0] in "OES" for tag in tags]
    return Following(np.array([may("", tag) for tag in tags]), np.array(pairs), np.array(ends))


def _may_follow_iob2(before: str, tag: str) -> bool:
    prefix, kind = split(tag)
    return prefix != "I" or (before not in ("", OUTSIDE) and split(before)[1] == kind)


def _may_follow_bioes(before: str, tag: str) -> bool:
    (last, type_), (prefix, kind) = split(before) if before else ("", ""), split(tag)
    return prefix in _FOLLOWERS[last] and (prefix in "OBS" or type_ == kind)


def _refuse_torn(tags: Sequence[str], place: Place | str) -> None:
    for k, (before, tag) in enumerate(zip(["", *tags], [*tags, OUTSIDE], strict=True)):
        if not _may_follow_bioes(before, tag):
            got = f"{before or 'the beginning'} is followed by {tag if k < len(tags) else 'the end'} at word {k + 1}"
            possible = "In BIOES an entity is S-, or B- … E- with I- between"
            raise DataError(str(place), got, possible, "Correct the tags, or read them as they are with --scheme plain")


def _no_tag_of(scheme: Scheme, tag: str, place: Place | str) -> DataError:
    wanted = "O, B- and I-" if scheme == "iob2" else "O, B-, I-, E- and S-"
    advice = "Correct it, or read tags as they are with --scheme plain"
    return DataError(str(place), f"the tag {tag!r} is none of {scheme.upper()}", f"Its tags are {wanted}", advice)


def check_scheme(scheme: str) -> None:
    """Raise ConfigError for a name that is no scheme."""
    if scheme not in SCHEMES:
        raise ConfigError("--scheme", f"'{scheme}'", f"Known are {', '.join(SCHEMES)}")
