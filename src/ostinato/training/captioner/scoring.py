"""A captioner beside the truth: the nats of right symbols, and what it writes beside the references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostinato.training.captioner.encoding import Items
from ostinato.training.captioner.searching import Sought, written
from ostinato.training.devices import device_of
from ostinato.training.metrics.texts import Texts
from ostinato.training.supervised.batches import in_batches
from ostinato.training.written import figures
from ostinato.training.written.hypotheses import Asked, Hypothesis, text_of

AT_ONCE = 128


def nats_of(model: Any, items: Items) -> dict[str, float]:
    """Return the mean nats of a symbol over items, and the perplexity."""
    batches = in_batches(items, "target", AT_ONCE, items.collate, device_of(model))
    return figures.nats_of(model, (batch for _, batch in batches))


def answered(model: Any, items: Items, asked: Asked) -> Iterator[tuple[int, list[Hypothesis]]]:
    """Yield the number of each item, and what the model writes of it."""
    sought = ((k, Sought(items.seen(k), items.store.read("question", k))) for k in range(len(items)))
    return written(model, items.encoder, sought, asked)


def judged(model: Any, items: Items, asked: Asked) -> Texts:
    """Return the figures of what the model writes of items."""
    texts = Texts(items.encoder.schema.metrics, lowercase=items.encoder.target.lowercase)
    for number, found in answered(model, items, asked):
        texts.add(text_of(found), items.texts(number)[1])
    return texts
