"""What goes on in a text, one number for each of its characters: what units of a network may follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ostinato._errors import ConfigError

Track = NDArray[np.float64]
Annotation = Callable[[str], ArrayLike] | ArrayLike
"""A function of the text to one number for each character; or the numbers themselves, one for each symbol."""
OPENING, CLOSING = "([{", ")]}"
QUOTES = {"“": 1, "”": 0, "«": 1, "»": 0}
LONGEST = 64
"""Backslashes in a row that are looked at."""
TAB = 8
"""Columns from one stop of tabs to the next."""


def tracks_of(pieces: Sequence[str], annotations: Mapping[str, Annotation] | None = None) -> dict[str, Track]:
    """Return every track of a text that comes in pieces, one for each symbol, and the annotations beside them.

    The value of a symbol is that of its last character; of one without text, that of the symbol before it. Values of
    annotations that are NaN are not counted. Raises ConfigError for an annotation of another length.

    >>> tracks_of(["(", "a b", ")"])["bracket depth"].tolist()
    [1.0, 1.0, 0.0]
    """
    text = "".join(pieces)
    last = np.cumsum([len(piece) for piece in pieces], dtype=int) - 1
    given = dict(annotations or {})
    by_character = tracks(text) | {name: _called(name, f, text) for name, f in given.items() if callable(f)}
    found = {name: np.concatenate([values, [np.nan]])[last] for name, values in by_character.items()}
    return found | {name: as_track(name, f, len(pieces)) for name, f in given.items() if not callable(f)}


def tracks(text: str) -> dict[str, Track]:
    """Return what is known without being told, each track one number for each character, that character included.

    inside quotes     1 between double quotes, or “ ” or « »; a blank line ends them. Not \\" and '"'.
    bracket depth     brackets of any kind that are open, outside of quotes and comments, and not '('.
    indentation       columns of white space that the line begins with; a tab reaches to the next multiple of 8.
    position in line  characters since the line began: how long it is so far.
    position in word  letters, digits and _ since the word began; 0 outside.
    inside a comment  1 within /* */, after // and within <!-- -->.
    upper case        1 at a capital letter.
    """
    quoted, depth, comment = _nesting(text)
    is_word = np.array([c.isalnum() or c == "_" for c in text], bool)
    is_break = np.array([c == "\n" for c in text], bool)
    return {
        "inside quotes": quoted,
        "bracket depth": depth,
        "indentation": _indentation(text),
        "position in line": _since(is_break),
        "position in word": _since(~is_word),
        "inside a comment": comment,
        "upper case": np.array([c.isupper() for c in text], float),
    }


def _since(starts: NDArray[np.bool_]) -> Track:
    """Return how many characters ago the last start was, or the text began before its first character."""
    places = np.arange(1, len(starts) + 1)
    return (places - np.maximum.accumulate(np.where(starts, places, 0))).astype(float)


def _indentation(text: str) -> Track:
    found, columns, is_leading = [], 0, True
    for character in text:
        if character == "\n":
            columns, is_leading = 0, True
        elif is_leading and character in " \t":
            columns += TAB - columns % TAB if character == "\t" else 1
        else:
            is_leading = False
        found.append(columns)
    return np.array(found, float)


def _nesting(text: str) -> tuple[Track, Track, Track]:
    """Return quotes, brackets and comments, which are read together: one may hide another."""
    found = np.zeros((3, len(text)))
    quoted, depth, comment = 0, 0, ""
    for k, character in enumerate(text):
        if comment:
            comment = "" if text.startswith(comment, max(0, k + 1 - len(comment))) else comment
        elif not quoted and (end := _comment(text, k)):
            comment = end
        elif character in QUOTES:
            quoted = QUOTES[character]
        elif character == '"' and not _is_escaped(text, k):
            quoted = 1 - quoted
        elif text.startswith("\n\n", max(0, k - 1)):
            quoted = 0
        elif not quoted and text[max(0, k - 1) : k + 2] != f"'{character}'":
            depth = max(0, depth + (character in OPENING) - (character in CLOSING))
        found[:, k] = quoted, depth, bool(comment)
    return found[0], found[1], found[2]


def _comment(text: str, k: int) -> str:
    """Return what ends the comment whose beginning is complete with character k; "" where none is."""
    if text.startswith("/*", max(0, k - 1)):
        return "*/"
    if k and text.startswith("//", k - 1) and text[max(0, k - 2)] != ":":
        return "\n"
    return "-->" if k > 2 and text.startswith("<!--", k - 3) else ""


def _is_escaped(text: str, k: int) -> bool:
    """Whether the quote at k is one that begins and ends nothing: \\" (but not \\\\"), or '"'."""
    before = text[max(0, k - LONGEST) : k]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1 or text[max(0, k - 1) : k + 2] == "'\"'"


def _called(name: str, function: Callable[[str], ArrayLike], text: str) -> Track:
    return as_track(name, function(text), len(text), "characters")


def as_track(name: str, values: ArrayLike, length: int, of: str = "symbols") -> Track:
    """Return the numbers of an annotation (length,). Raises ConfigError for another count, and for what are none."""
    where, possible = f"annotation '{name}'", f"One number for each of the {length} {of} that are read"
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ConfigError(where, f"no numbers ({error})", possible, "Write nan where there is none") from None
    if found.shape != (length,):
        got = f"{len(found)} numbers" if found.ndim == 1 else f"an array of shape {found.shape}"
        raise ConfigError(where, got, possible)
    return found
