"""What goes on in a sequence of symbols, as words of a sentence or letters of a name: what units may follow there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.diagnostics.tracks import Track, tracks_of

FROM_TEXT = {
    "inside quotes": "inside quotes",
    "bracket depth": "bracket depth",
    "position in word": "letters of the word so far",
}
"""Tracks of texts that are looked at in short sequences as well, and what they are called there."""


def piece_tracks(pieces: Sequence[str]) -> dict[str, Track]:
    """Return every track of a sequence of symbols, one number for each of them, that one included.

    steps read                  from 1.
    steps left                  after this one.
    letters of the word so far  letters, digits and _ since the word began: of a symbol that is a word, how long it is.
    capital, digit              1 where the symbol has one.
    punctuation                 1 where it has signs alone, no letter, digit or space.
    inside quotes, bracket depth as `tracks` says, of all symbols read as one text.

    >>> {name: values.tolist() for name, values in piece_tracks(["Oh", " (", "no", ")"]).items()}["punctuation"]
    [0.0, 1.0, 0.0, 1.0]
    """
    bare = [piece.strip() for piece in pieces]
    text = tracks_of(pieces)
    return {
        "steps read": np.arange(1.0, len(pieces) + 1),
        "steps left": np.arange(len(pieces) - 1.0, -1, -1),
        "capital": np.array([any(c.isupper() for c in piece) for piece in bare], float),
        "digit": np.array([any(c.isdigit() for c in piece) for piece in bare], float),
        "punctuation": np.array([bool(piece) and not any(map(_is_word, piece)) for piece in bare], float),
        **{name: text[known] for known, name in FROM_TEXT.items()},
    }


def _is_word(character: str) -> bool:
    return character.isalnum() or character.isspace()
