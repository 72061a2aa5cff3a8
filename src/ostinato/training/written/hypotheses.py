"""What a decoder writes: sequences with their scores, and where it looked for each symbol."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.data.units import Side, Units
from ostinato.decoding.sampling import Step
from ostinato.decoding.search import Found, Rows, Search, search
from ostinato.models.decoder import Writing
from ostinato.training.config.searching import Searching


class Hypothesis(NamedTuple):
    """A sequence that was written."""

    text: str
    score: float
    """What it is ranked by; log P where nothing else is asked."""
    symbols: NDArray
    """(T,)."""
    weights: NDArray | None
    """Where it looked for each symbol and for the end (T + 1, S); None without attention, and where nobody asked."""


class Asked(NamedTuple):
    """How sequences are looked for."""

    search: Search
    prefix: NDArray | None = None
    """Symbols (P,) that each begins with."""
    generator: torch.Generator | None = None
    looks: bool = True
    """Whether it is told where the model looked, which takes memory for each symbol of each hypothesis."""


def asked_of(
    settings: Searching, search: dict[str, Any], units: Units, prefix: Side | None = None, seed: int | None = None,
    *, looks: bool = True,
) -> Asked:  # fmt: skip
    """Return how sequences are looked for by the settings of a run, with those of `search` in their place.

    `prefix` is what each begins with, in `units`. Raises ConfigError for settings that cannot be, and for a prefix
    that was never learned.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Asked(settings.search(**search), None if prefix is None else _begun(units, prefix), generator, looks)


def _begun(units: Units, prefix: Side) -> NDArray:
    """Return the symbols of a prefix."""
    symbols = units.encode(prefix)
    unknown = [] if units.unknown is None else (symbols == units.unknown).nonzero()[0].tolist()
    if unknown:
        text = units.text(prefix)
        cut = {"word": units.words, "char": list, "symbols": str.split}[units.kind](text)
        possible = f"A prefix is in {'characters' if units.kind == 'char' else 'words'} that were learned"
        raise ConfigError("prefix", f"'{cut[unknown[0]].strip()}' was never learned", possible, "Begin otherwise")
    return symbols


def sought(
    step: Step, state: Writing | None, start: Tensor, units: Units, asked: Asked, rows: Rows, *, never: int | None
) -> Found:
    """Return what is found after the symbols `start` (B,); `never` is a symbol that is not written."""
    if asked.prefix is not None:
        begins = torch.as_tensor(asked.prefix, dtype=torch.int64, device=start.device)
        rows = rows._replace(prefix=begins.expand(len(start), -1))
    settings = asked.search if never is None else replace(asked.search, never=(never,))
    attends = state is not None and state.weights is not None
    if settings.coverage_penalty and not attends:
        got = f"{settings.coverage_penalty:g} of a model without attention"
        raise ConfigError("coverage_penalty", got, "It is about where attention looks", "Leave it out")
    record = _weights if attends and (asked.looks or settings.coverage_penalty) else None
    return search(step, state, start, units.boundary, settings, rows, record=record, generator=asked.generator)


def hypotheses(
    found: Found, row: int, text: Callable[[NDArray, NDArray | None], str], places: int | None = None
) -> list[Hypothesis]:
    """Return what was found for a row, the best first.

    text    of symbols (T,) and of where the model looked (T + 1, S).
    places  how many of the places looked at the row has; None is all.
    """
    best = []
    for place, score in enumerate(found.scores[row].tolist()):
        if score > -math.inf:
            length = int(found.lengths[row, place])
            symbols, weights = found.tokens[row, place, :length].numpy(force=True), None
            if found.recorded is not None:
                weights = found.recorded[row, place, : length + 1, :places].float().numpy(force=True)
            best.append(Hypothesis(text(symbols, weights), score, symbols, weights))
    return best


def text_of(found: list[Hypothesis]) -> str:
    """Return the best text; "" where nothing was found."""
    return found[0].text if found else ""


def _weights(state: Writing) -> Tensor:
    assert state.weights is not None
    return state.weights
