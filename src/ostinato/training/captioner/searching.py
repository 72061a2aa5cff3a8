"""What a captioner writes of items side by side, each with its score and where it looked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from numpy.typing import NDArray

from ostinato.decoding.search import Rows
from ostinato.training.captioner.encoding import Encoder
from ostinato.training.devices import device_of, move
from ostinato.training.supervised.ahead import groups
from ostinato.training.written.hypotheses import Asked, Hypothesis, hypotheses, sought

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
def together(model: Any, encoder: Encoder, items: Sequence[Sought], asked: Asked) -> list[list[Hypothesis]]:
    """Return what is written of each of some items."""
    batch = encoder.together([item.seen for item in items], [item.asked for item in items])
    batch = move(batch, device_of(model))
    step, state = model.stepper(batch)
    never = encoder.target.unknown
    limit = encoder.limit
    rows = Rows() if limit is None else Rows(limits=torch.full((len(items),), limit))
    found = sought(step, state, batch.inputs[0], encoder.target, asked, rows, never=never)
    return [hypotheses(found, row, lambda symbols, _: encoder.target.decode(symbols)) for row in range(len(items))]
