"""The text that a language model reads: units that follow it, and what the model expected after each symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.lanes import Segment
from ostinato.diagnostics.taps import in_evaluation
from ostinato.diagnostics.tracking import states_of, units
from ostinato.inspection.coloured import Coloured, shown_steps
from ostinato.inspection.looks import Look
from ostinato.inspection.subject import Subject

BEFORE = 200
"""Symbols that are read before those that are shown, so that states have seen something."""
LIKELIEST = 5
"""Next symbols whose chances are shown."""


def look_at_text(subject: Subject, most: int) -> Look:
    """Return which units follow a text, and at most so many symbols of it."""
    assert subject.symbols is not None
    vocabulary = subject.trained.vocabulary
    decoder = vocabulary.decoder()
    pieces = [decoder.push(symbol) for symbol in subject.symbols]
    found = units(subject.model, subject.symbols, pieces, annotations=subject.annotations, boundary=vocabulary.boundary)
    length = min(shown_steps(len(found.units), most), len(pieces))
    start = min(len(pieces) // 2, len(pieces) - length)
    first = max(0, start - BEFORE)
    read = subject.symbols[first : start + length].astype(np.int64)
    _, states = states_of(subject.model, read, vocabulary.boundary)
    loss, notes = _predicted(subject.model, read, vocabulary)
    here, text = slice(start - first, None), pieces[start : start + length]
    return Look(None, found, Coloured(text, [("", length)], states[here].numpy(), notes[here], loss=loss[here]))


@torch.no_grad()
def _predicted(model: Any, read: NDArray, vocabulary: Any) -> tuple[NDArray, list[str]]:
    """Return the loss of each symbol in nats (T,), NaN of the first, and in words what was likeliest to follow it."""
    tokens = torch.from_numpy(read)[:, None]
    reset = tokens == vocabulary.boundary
    with in_evaluation(model):
        scores, _ = model.read(Segment(tokens, tokens, reset if bool(reset.any()) else None), None)
    logs = scores[:, 0].float().log_softmax(-1)
    loss = np.concatenate([[np.nan], -logs[:-1].gather(1, tokens[1:])[:, 0].numpy()])
    chances, likely = logs.exp().topk(min(LIKELIEST, logs.shape[1]))
    texts = {n: _visible(vocabulary, n) for n in likely.unique().tolist()}
    rows = zip(loss, likely.tolist(), chances.tolist(), strict=True)
    return loss, [_note(cost, [texts[n] for n in after], shares) for cost, after, shares in rows]


def _visible(vocabulary: Any, symbol: int) -> str:
    text = "end of document" if symbol == vocabulary.boundary else vocabulary.decode([symbol])
    return text.replace("\n", "↵").replace(" ", "␣") or "∅"


def _note(cost: float, likely: list[str], chances: list[float]) -> str:
    expected = ",  ".join(f"{text} {100 * share:.1f} %" for text, share in zip(likely, chances, strict=True))
    return ("" if np.isnan(cost) else f"This symbol cost {cost:.2f} nats. ") + f"Expected after it:  {expected}"
