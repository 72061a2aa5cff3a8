"""Which units follow what goes on in the sequences that a model reads, and these sequences, coloured by any of them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from ostinato.diagnostics.sequences import sequence_states, sequence_units
from ostinato.diagnostics.tracking import FEWEST
from ostinato.inspection.coloured import Coloured, shown_steps
from ostinato.inspection.lines import lines
from ostinato.inspection.looks import Look
from ostinato.inspection.readings import readings
from ostinato.inspection.rows import Rows, picked
from ostinato.inspection.script import READER
from ostinato.inspection.section import Section
from ostinato.inspection.subject import Subject
from ostinato.inspection.texts import look_at_text

SHOWN = 1000
"""Steps that are shown at most."""
STEPS, ROWS = 40_000, (64, 512)
"""Of sequences, about how many steps are read, in how many sequences at least and at most."""
AT_ONCE = 64
"""Sequences that are read side by side."""
TITLE = "Units"
QUESTION = (
    "Does a single number of a state stand for something in what the model reads? Units are chosen by one half of it; "
    "how well they follow is measured on the other half."
)


def section(subject: Subject) -> Section:
    """Look for units that follow what is read, and show some of it."""
    looks: list[Look | str] = [*_of_sequences(subject)] if subject.symbols is None else [_of_text(subject)]
    there = [look for look in looks if isinstance(look, Look)]
    markup = "".join(f"<p>{escape(look)}</p>\n" if isinstance(look, str) else look.markup() for look in looks)
    pictures = tuple(look.picture for look in there if look.picture is not None)
    summary = " ".join(look if isinstance(look, str) else look.summary() for look in looks)
    numbers = {"readings": [look.numbers() for look in there]} if there else {"left_out": summary}
    return Section(TITLE, QUESTION, pictures, markup + READER * bool(there), numbers, summary)


def _of_text(subject: Subject) -> Look | str:
    assert subject.symbols is not None
    if len(subject.symbols) < FEWEST:
        return f"The text has {len(subject.symbols)} symbols; units are looked for in {FEWEST} or more."
    return look_at_text(subject, SHOWN)


def _of_sequences(subject: Subject) -> Iterator[Look | str]:
    """Yield what was found of each network that reads sequences, or why nothing was."""
    batch = subject.more(int(np.clip(STEPS // subject.batch.inputs.shape[0], *ROWS)))
    for rows in readings(subject, batch):
        if (total := int(rows.lengths.sum())) < FEWEST:
            yield f"Of {rows.what} there are {total} {rows.unit}s; units are looked for in {FEWEST} or more."
        else:
            yield _of_rows(subject, batch, rows)


def _of_rows(subject: Subject, batch: Any, rows: Rows) -> Look:
    count = len(rows.lengths)
    parts = [picked(batch, np.arange(start, min(start + AT_ONCE, count))) for start in range(0, count, AT_ONCE)]
    further = {"whole": rows.whole, "network": rows.network, "chooses": rows.chooses}
    found = sequence_units(subject.model, parts, rows.lengths, rows.tracks, **further)  # type: ignore[arg-type]
    chosen = rows.judged(shown_steps(len(found.units), SHOWN))
    places = np.array([row for row, _ in chosen])
    _, states = sequence_states(subject.model, picked(batch, places), rows.lengths[places], rows.network)
    values = np.concatenate([states[:steps, k].numpy() for k, (_, steps) in enumerate(chosen)])
    shown = Coloured(
        [piece for row, steps in chosen for piece in rows.pieces[row][:steps]],
        [(rows.labels[row] if rows.labels else "", steps) for row, steps in chosen],
        values,
        [note for row, steps in chosen for note in rows.told(row)[:steps]],
        rows.unit,
    )
    first, steps = chosen[0]
    return Look(rows, found, shown, lines(rows, found, first, values[:steps]) if rows.columns else None)
