"""What a captioner writes of items side by side, each with its score and where it looked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.decoding.search import Found, Rows, search
from ostinato.training.captioner.encoding import Encoder
from ostinato.training.devices import device_of, move
from ostinato.training.supervised.ahead import groups
from ostinato.training.translator.searching import Asked, Hypothesis

HYPOTHESES = 256
"""Hypotheses that are lengthened in one batch."""
Item = TypeVar("Item")


class Sought(NamedTuple):
    """What is to be captioned, encoded."""

    seen: NDArray
    asked: NDArray
    """Symbols of the question (S,)."""


def written(
    model: Any, encoder: Encoder, items: Iterable[tuple[Item, Sought]], asked: Asked
) -> Iterator[tuple[Item, list[Hypothesis]]]:
    """Yield each item with what is written of it, the best first, in constant memory."""
    size = max(1, HYPOTHESES // asked.search.beam)
    for group in groups(items, size):
        found = together(model, encoder, [sought for _, sought in group], asked)
        yield from ((item, best) for (item, _), best in zip(group, found, strict=True))


@torch.no_grad()
def together(model: Any, encoder: Encoder, sought: Sequence[Sought], asked: Asked) -> list[list[Hypothesis]]:
    """Return what is written of each of some items."""
    batch = encoder.together([item.seen for item in sought], [item.asked for item in sought])
    batch = move(batch, device_of(model))
    step, state = model.stepper(batch)
    looks = getattr(state, "weights", None) is not None
    prefix = None
    if asked.prefix is not None:
        symbols = torch.as_tensor(asked.prefix, dtype=torch.int64, device=batch.inputs.device)
        prefix = symbols.expand(len(sought), -1)
    never = () if encoder.target.unknown is None else (encoder.target.unknown,)
    found = search(
        step, state, batch.inputs[0], encoder.target.boundary, replace(asked.search, never=never), Rows(prefix=prefix),
        record=_weights if looks else None, generator=asked.generator,
    )  # fmt: skip
    return [_of_row(encoder, found, row) for row in range(len(sought))]


def _of_row(encoder: Encoder, found: Found, row: int) -> list[Hypothesis]:
    best = []
    for place, score in enumerate(found.scores[row].tolist()):
        if score > -math.inf:
            length = int(found.lengths[row, place])
            symbols, weights = found.tokens[row, place, :length].numpy(force=True), None
            if found.recorded is not None:
                weights = found.recorded[row, place, : length + 1].float().numpy(force=True)
            best.append(Hypothesis(encoder.target.decode(symbols), score, symbols, weights))
    return best


def _weights(state: Any) -> Tensor:
    return state.weights
