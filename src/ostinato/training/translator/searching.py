"""What a translator writes: sources side by side into sequences, each with its score and where it looked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.units import Side, as_text
from ostinato.decoding.search import Rows, Search
from ostinato.models.translator import Translator
from ostinato.training.devices import device_of, move
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.translator.encoding import Encoder
from ostinato.training.written.hypotheses import Asked, Hypothesis, hypotheses, sought

AT_ONCE = 1024
"""Sources that are read ahead and sorted by length; what is written of them comes in their own order."""
HYPOTHESES = 320
"""Hypotheses that are lengthened in one batch."""
WEIGHTS = 16_000_000
"""Numbers that the attention of a batch is kept in: hypotheses x places of the longest source x symbols written."""
FREE = 20
"""Symbols that may be written whatever the source."""
SLACK = 1.5
"""How much longer, for its source, a sequence may become than any that was learned from."""
NOTHING = Hypothesis("", 0.0, np.empty(0, np.int64), None)
"""What is written of a source without a word."""
Item = TypeVar("Item")


def written(
    model: Translator, encoder: Encoder, items: Iterable[Item], source: Callable[[Item], Side], asked: Asked
) -> Iterator[tuple[Item, list[Hypothesis]]]:
    """Yield each item with what is written of its source, the best first, in constant memory."""
    size = partial(_at_once, encoder.schema.ratio, asked.search)
    for group in groups(items, AT_ONCE):
        sides: list[Side] = [source(item) for item in group]
        sources, found = [encoder.read(side) for side in sides], {}
        full = [k for k, side in enumerate(sides) if as_text(side).strip()]
        for chosen in by_length([sources[k] for k in full], size):
            part = [full[k] for k in chosen]
            best = together(model, encoder, [sources[k] for k in part], [sides[k] for k in part], asked)
            found |= dict(zip(part, best, strict=True))
        yield from ((item, found.get(k, [NOTHING])) for k, item in enumerate(group))


@torch.no_grad()
def together(
    model: Translator, encoder: Encoder, sources: Sequence[NDArray], sides: Sequence[Side], asked: Asked
) -> list[list[Hypothesis]]:
    """Return what is written of each of some sources, encoded and as they stand."""
    batch = move(encoder.together(sources), device_of(model))
    step, state = model.stepper(batch.inputs, batch.lengths, batch.copies)
    replaces = state.weights is not None and encoder.replaces
    never = None if replaces else encoder.target.unknown
    asked = asked._replace(looks=asked.looks or replaces)
    rows = Rows(limits=limits(batch.lengths, encoder.schema.ratio, asked.search), places=batch.lengths)
    found = sought(step, state, batch.read[0], encoder.target, asked, rows, never=never)
    return [
        hypotheses(found, row, partial(encoder.text, side=side), len(source))
        for row, (source, side) in enumerate(zip(sources, sides, strict=True))
    ]


def limits(lengths: Tensor, ratio: float, search: Search) -> Tensor:
    """Return how many symbols (B,) are written at most for sources of these lengths (B,), the end counted.

    ratio  the greatest number of symbols, for each of a source, that was learned from.
    """
    most = (SLACK * ratio * lengths).ceil().long() + FREE
    return most.clamp(min=min(search.min_length, search.max_length), max=search.max_length)


def _at_once(ratio: float, search: Search, length: int) -> int:
    """Return how many sources of up to a length are read in one batch."""
    limit = int(limits(torch.tensor([length]), ratio, search))
    return max(1, min(HYPOTHESES, WEIGHTS // max(1, length * limit)) // search.beam)
