"""Which units follow what goes on in the text, and the text itself, coloured by what units are worth at each symbol."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.lanes import Segment
from ostinato.diagnostics.taps import in_evaluation
from ostinato.diagnostics.tracking import FEWEST, Unit, Units, states_of, units
from ostinato.inspection.coloured import Coloured, Reading, coloured_text
from ostinato.inspection.section import Section
from ostinato.inspection.subject import Subject

SHOWN, BEFORE = 1000, 200
"""Symbols of the text that are shown, and those that are read before them, so that states have seen something."""
MOST = 24
"""Units that the text can be coloured by."""
FOLLOWS = 0.5
"""|r| from which on a unit is said to follow a track."""
LIKELIEST = 5
"""Next symbols whose chances are shown."""
TITLE = "Units"
QUESTION = (
    "Does a single number of a state stand for something in the text? Units are chosen by one half of it; how well "
    "they follow is measured on the other half."
)


def section(subject: Subject) -> Section:
    """Look for units that follow the text, and show a stretch of it."""
    if subject.symbols is None:
        return _without("Units are looked for in text that is read symbol by symbol. This model reads none.")
    if len(subject.symbols) < FEWEST:
        return _without(f"The text has {len(subject.symbols)} symbols; units are looked for in {FEWEST} or more.")
    vocabulary = subject.trained.vocabulary
    decoder = vocabulary.decoder()
    pieces = [decoder.push(symbol) for symbol in subject.symbols]
    found = units(subject.model, subject.symbols, pieces, annotations=subject.annotations, boundary=vocabulary.boundary)
    start = max(0, min(len(pieces) // 2, len(pieces) - SHOWN))
    reading = _reading(subject, pieces, start, found)
    return Section(
        TITLE, QUESTION, markup=_table(found) + coloured_text(reading), data=_numbers(found), summary=_clearest(found)
    )


def _without(reason: str) -> Section:
    return Section(TITLE, QUESTION, markup=f"<p>{escape(reason)}</p>", data={"left_out": reason}, summary=reason)


def _table(found: Units) -> str:
    """Return the tracks with the unit that follows each best, and a sentence on what that means."""
    rows = []
    for k, track in sorted(enumerate(found.tracks), key=lambda each: -abs(found.best(each[1])[0][1])):
        unit, r = found.best(track)[0]
        rows.append(
            f'<tr><th scope="row">{escape(track)}</th><td>{escape(str(unit))}</td><td>{_signed(r)}</td>'
            f"<td>{_signed(float(found.readout[k]))}</td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("What", "Unit", "r", "r of all units together"))
    constant = f" Not in both halves of this text: {escape(', '.join(found.constant))}." if found.constant else ""
    return (
        f'<figure><div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>{"".join(rows)}</tbody>'
        f"</table></div>\n<figcaption>{escape(in_words(found))}{constant}</figcaption></figure>\n"
    )


def in_words(found: Units) -> str:
    """Return what was found, in a few sentences."""
    return (
        f"{len(found.units):,} units were searched on {found.symbols:,} symbols. {_clearest(found)} "
        "What all units say together, by a ridge regression, shows what is known without a unit of its own."
    )


def _clearest(found: Units) -> str:
    best = {track: found.best(track)[0] for track in found.tracks}
    clear = [(track, unit, r) for track, (unit, r) in best.items() if abs(r) >= FOLLOWS]
    if not clear:
        return f"No unit follows the text by itself: no |r| reaches {FOLLOWS} on the half that chose nothing."
    track, unit, r = max(clear, key=lambda each: abs(each[2]))
    others = f"; {len(clear) - 1} other features have a unit with |r| of {FOLLOWS} or more" if len(clear) > 1 else ""
    return f"Clearest of all, {unit} follows '{track}' with r = {_signed(r)}{others}."


def _signed(r: float) -> str:
    return "–" if np.isnan(r) else f"{r:.2f}".replace("-", "−")


def _chosen(found: Units) -> dict[Unit, str]:
    """Return the units to colour by, each with what it is called: those that follow most, then some of every layer."""
    order = sorted(found.tracks, key=lambda track: -abs(found.best(track)[0][1]))
    chosen: dict[Unit, str] = {}
    for place in range(2):
        for track in order:
            unit, r = found.best(track, 2)[-1 if place else 0]
            if unit not in chosen and len(chosen) < MOST:
                chosen[unit] = f"{track}: {unit} (r = {_signed(r)})"
    for place in np.linspace(0, len(found.units) - 1, MOST).astype(int):
        if len(chosen) < MOST:
            chosen.setdefault(found.units[place], str(found.units[place]))
    return chosen


def _reading(subject: Subject, pieces: list[str], start: int, found: Units) -> Reading:
    assert subject.symbols is not None
    vocabulary = subject.trained.vocabulary
    first = max(0, start - BEFORE)
    read = subject.symbols[first : start + SHOWN].astype(np.int64)
    names, states = states_of(subject.model, read, vocabulary.boundary)
    loss, likely, chances = _predicted(subject.model, read, vocabulary.boundary)
    shown = slice(start - first, None)
    columns = {unit: k for k, unit in enumerate(names)}
    return Reading(
        pieces[start : start + SHOWN],
        [Coloured(name, states[shown, columns[unit]].numpy()) for unit, name in _chosen(found).items()],
        loss[shown],
        likely[shown],
        chances[shown],
        {int(n): "end of document" if n == vocabulary.boundary else vocabulary.decode([n]) for n in np.unique(likely)},
    )


@torch.no_grad()
def _predicted(model: Any, read: NDArray, boundary: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return, of each symbol (T,), its loss in nats, NaN of the first, and the next ones that are likeliest (T, 5)."""
    tokens = torch.from_numpy(read)[:, None]
    reset = tokens == boundary
    with in_evaluation(model):
        scores, _ = model.read(Segment(tokens, tokens, reset if bool(reset.any()) else None), None)
    logs = scores[:, 0].float().log_softmax(-1)
    nats = -logs[:-1].gather(1, tokens[1:])[:, 0]
    chances, likely = logs.exp().topk(min(LIKELIEST, logs.shape[1]))
    return np.concatenate([[np.nan], nats.numpy()]), likely.numpy(), chances.numpy()


def _numbers(found: Units) -> dict[str, Any]:
    return {
        "symbols": found.symbols,
        "units": len(found.units),
        "not_in_both_halves": list(found.constant),
        "tracks": {
            track: {
                "best": [{**unit._asdict(), "r": round(r, 6)} for unit, r in found.best(track, 5)],
                "readout": None if np.isnan(found.readout[k]) else round(float(found.readout[k]), 6),
            }
            for k, track in enumerate(found.tracks)
        },
    }
