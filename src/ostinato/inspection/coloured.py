"""Sequences coloured by what units are worth at each step: a text, words, or numbers drawn as bars.

They read without JavaScript, coloured by the first units. With it, any unit is found by what it follows or by its name,
and the arrow keys walk from step to step.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnostics.tracking import Units

STATIC = 3
"""Units that are shown where there is no JavaScript."""
STRONGEST = 127
"""Strengths of colour, of either sign."""
DEEPEST = 0.65
"""Opacity of the strongest colour: words are read on it in light and dark (WCAG 2.2, 1.4.3)."""
SCALE = 10_000
"""By what correlations are multiplied, so that two bytes hold one."""
BYTES, FEWEST = 1_500_000, 200
"""What all units of the steps that are shown take, and the steps that are left at least where units are many."""
NEWLINE, EMPTY = "↵\n", "∅"


@dataclass(frozen=True)
class Coloured:
    """T steps of one sequence or of several, one after the other."""

    pieces: Sequence[str]
    """What each step is shown as."""
    rows: Sequence[tuple[str, int]]
    """Of each sequence, what is said of it, and how many steps it has."""
    values: NDArray
    """(T, U): what each unit is worth."""
    notes: Sequence[str]
    """What is said of each step, to who walks to it."""
    step: str = "symbol"
    """What a step is called."""
    loss: NDArray | None = None
    """(T,) nats; NaN where it is not known."""


def strengths(values: NDArray) -> NDArray[np.int8]:
    """Return values (T, …) as colours from -127 to 127, of the largest there is over all steps."""
    finite = np.where(np.isfinite(values), values, 0.0)
    largest = np.abs(finite).max(0, initial=0.0)
    return np.rint(finite / np.where(largest > 0, largest, 1.0) * STRONGEST).astype(np.int8)


def shown_steps(units: int, most: int) -> int:
    """Return how many steps are shown, `most` unless all units of them would make the page too large.

    >>> shown_steps(1024, 1000), shown_steps(4096, 1000), shown_steps(100_000, 1000)
    (1000, 366, 200)
    """
    return max(min(most, FEWEST), min(most, BYTES // max(units, 1)))


def coloured(shown: Coloured, found: Units) -> str:
    """Return the HTML of sequences to read and to walk through. `script.READER` stands once behind all of them."""
    order = sorted(range(len(found.tracks)), key=lambda k: -abs(found.best(found.tracks[k])[0][1]))
    kept = _kept(found, len(shown.pieces))
    names = [found.units[u] for u in kept]
    colours = strengths(shown.values[:, kept])
    first = _first(found, order, kept)
    options = "".join(f'<option value="{k}">{escape(found.tracks[k])}</option>' for k in order)
    loss = f'<option value="loss">none: the loss of each {shown.step}</option>' if shown.loss is not None else ""
    static = "".join(
        f'<p class="quiet">Coloured by {escape(str(names[u]))}:</p>\n'
        f'<div class="read">{_rows(shown, colours[:, u])}</div>'
        for u in first[1:STATIC]
    )
    return (
        '<figure class="reader"><p class="controls" hidden>'
        f'<label>Units that follow <select class="follow">{options}<option value="any">anything: all, in order'
        f'</option>{loss}</select></label> <label>Unit <select class="unit"></select></label> '
        f'<label>or by name <input class="name" type="search" placeholder="{escape(str(names[-1]))}"></label></p>\n'
        f'<div class="read" tabindex="0" role="group" aria-label="The {shown.step}s, one by one; arrow keys walk '
        f'through them">{_rows(shown, colours[:, first[0]])}</div>\n<p class="next quiet" aria-live="polite">'
        f"Coloured by {escape(str(names[first[0]]))}.</p>\n<noscript>{static}</noscript>\n"
        f"<figcaption>{_caption(shown, found, len(kept))}</figcaption>\n"
        f'<script type="application/json">{_data(shown, found, kept, colours)}</script></figure>\n'
    )


def _caption(shown: Coloured, found: Units, kept: int) -> str:
    empty = f" {EMPTY} has no text: a beginning, an end, or part of a character." if "" in shown.pieces else ""
    fewer = (
        ""
        if kept == len(found.units)
        else f" {kept:,} of the {len(found.units):,} units are here: those that follow most."
    )
    return (
        "Orange is above zero, blue below, each the stronger the nearer to the largest value here. Units stand in the "
        "order of the half that chooses; r is of the other half. Point at a "
        f"{shown.step}, or walk with the arrow keys, to see what is known of it.{empty}{fewer}"
    )


def _kept(found: Units, steps: int) -> NDArray[np.integer]:
    """Return the numbers of the units that are shown: all, or those that follow most."""
    count = max(1, BYTES // max(steps, 1))
    if len(found.units) <= count:
        return np.arange(len(found.units))
    return np.sort(np.argsort(-np.abs(found.chosen).max(0, initial=0.0), kind="stable")[:count])


def _first(found: Units, order: Sequence[int], kept: NDArray[np.integer]) -> list[int]:
    """Return the places of the units that are shown first: that of each track, then any."""
    best = [int(np.argmax(np.abs(found.chosen[k][kept]))) for k in order]
    return [*dict.fromkeys([*best, *range(min(STATIC, len(kept)))])]


def _rows(shown: Coloured, colours: NDArray[np.int8]) -> str:
    rows, start = [], 0
    for label, steps in shown.rows:
        here = slice(start, start + steps)
        named = f"<b>{escape(label)}</b> " if label else ""
        rows.append(f"<div>{named}{_spans(shown.pieces[here], colours[here])}</div>")
        start += steps
    return "".join(rows)


def _spans(pieces: Sequence[str], colours: NDArray[np.int8]) -> str:
    pairs = zip(pieces, colours.tolist(), strict=True)
    return "".join(f'<span style="{_style(strength)}">{escape(visible(piece))}</span>' for piece, strength in pairs)


def visible(piece: str) -> str:
    """Return a piece as the page shows it: what cannot be seen has a sign."""
    return piece.replace("\n", NEWLINE) or EMPTY


def _style(strength: int) -> str:
    colour = "224,123,57" if strength > 0 else "59,130,196"
    return f"background:rgba({colour},{DEEPEST * abs(strength) / STRONGEST:.2f})"


def _data(shown: Coloured, found: Units, kept: NDArray[np.integer], colours: NDArray[np.int8]) -> str:
    """Return the numbers as JSON that may stand in a page: no text of the user can end the script."""
    data = {
        "names": [str(found.units[u]) for u in kept],
        "states": _packed(colours.T),
        "chosen": _packed(np.rint(np.abs(found.chosen[:, kept]) * SCALE).astype("<i2")),
        "r": _packed(np.rint(found.held_out[:, kept] * SCALE).astype("<i2")),
        "loss": None if shown.loss is None else _packed(strengths(shown.loss)),
        "notes": [note.replace("\n", "↵") for note in shown.notes],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _packed(values: NDArray) -> str:
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()
