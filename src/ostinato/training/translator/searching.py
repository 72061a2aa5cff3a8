"""What a translator writes: sources side by side into sequences, each with its score and where it looked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.units import Side
from ostinato.decoding.search import Found, Rows, Search, search
from ostinato.models.decoder import Writing
from ostinato.models.translator import Translator
from ostinato.training.devices import device_of, move
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.translator.encoding import Encoder

AT_ONCE = 1024
"""Sources that are read ahead and sorted by length; what is written of them comes in their own order."""
HYPOTHESES = 320
"""Hypotheses that are lengthened in one batch."""
Item = TypeVar("Item")


class Hypothesis(NamedTuple):
    """A sequence that was written."""

    text: str
    score: float
    """What it is ranked by; log P where nothing else is asked."""
    symbols: NDArray
    """(T,)."""
    weights: NDArray | None
    """Where it looked for each symbol and for the end (T + 1, S)."""


class Asked(NamedTuple):
    """How sequences are looked for."""

    search: Search
    prefix: NDArray | None = None
    """Symbols (P,) that each begins with."""
    generator: torch.Generator | None = None


def written(
    model: Translator, encoder: Encoder, items: Iterable[Item], source: Callable[[Item], Side], asked: Asked
) -> Iterator[tuple[Item, list[Hypothesis]]]:
    """Yield each item with what is written of its source, the best first, in constant memory."""
    size = max(1, HYPOTHESES // asked.search.beam)
    for group in groups(items, AT_ONCE):
        sides: list[Side] = [source(item) for item in group]
        sources, found = [encoder.read(side) for side in sides], {}
        for part in by_length(sources, size):
            best = together(model, encoder, [sources[k] for k in part], [sides[k] for k in part], asked)
            found |= dict(zip(part, best, strict=True))
        yield from ((item, found[k]) for k, item in enumerate(group))


@torch.no_grad()
def together(
    model: Translator, encoder: Encoder, sources: Sequence[NDArray], sides: Sequence[Side], asked: Asked
) -> list[list[Hypothesis]]:
    """Return what is written of each of some sources, encoded and as they stand."""
    batch = move(encoder.together(sources), device_of(model))
    step, state = model.stepper(batch.inputs, batch.lengths, batch.copies)
    looks = state.weights is not None
    unknown = encoder.target.unknown
    never = () if unknown is None or (looks and encoder.replaces) else (unknown,)
    rows = Rows(limits=3 * batch.lengths + 20, places=batch.lengths, prefix=_prefixes(asked.prefix, batch.lengths))
    found = search(
        step, state, batch.read[0], encoder.target.boundary, replace(asked.search, never=never), rows,
        record=_weights if looks else None, generator=asked.generator,
    )  # fmt: skip
    return [
        _of_row(encoder, found, row, source, side)
        for row, (source, side) in enumerate(zip(sources, sides, strict=True))
    ]


def _of_row(encoder: Encoder, found: Found, row: int, source: NDArray, side: Side) -> list[Hypothesis]:
    lengths, scores = found.lengths[row].tolist(), found.scores[row].tolist()
    best = []
    for place, (length, score) in enumerate(zip(lengths, scores, strict=True)):
        if score > -math.inf:
            symbols, weights = found.tokens[row, place, :length].numpy(force=True), None
            if found.recorded is not None:
                weights = found.recorded[row, place, : length + 1, : len(source)].float().numpy(force=True)
            best.append(Hypothesis(encoder.text(symbols, weights, side), score, symbols, weights))
    return best


def _weights(state: Writing) -> Tensor:
    assert state.weights is not None
    return state.weights


def _prefixes(prefix: NDArray | None, lengths: Tensor) -> Tensor | None:
    if prefix is None:
        return None
    return torch.as_tensor(prefix, dtype=torch.int64, device=lengths.device).expand(len(lengths), -1)
