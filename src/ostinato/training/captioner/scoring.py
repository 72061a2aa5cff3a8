"""A captioner beside the truth: the nats of right symbols, and what it writes beside the references."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from ostinato.training.captioner.encoding import Items
from ostinato.training.captioner.searching import Sought, written
from ostinato.training.devices import device_of
from ostinato.training.metrics.texts import Texts
from ostinato.training.supervised.batches import in_batches
from ostinato.training.translator.searching import Asked, Hypothesis

AT_ONCE = 128


@torch.no_grad()
def nats_of(model: Any, items: Items) -> dict[str, float]:
    """Return the mean nats of a symbol over items, the end of each a symbol too, and the perplexity."""
    nats, count = 0.0, 0
    for _, batch in in_batches(items, "target", AT_ONCE, items.collate, device_of(model)):
        nats += float(model.losses(batch).sum())
        count += model.count(batch)
    mean = nats / max(1, count)
    return {"nats": mean, "perplexity": math.exp(min(mean, 700.0))}


def answered(model: Any, items: Items, asked: Asked) -> Iterator[tuple[int, list[Hypothesis]]]:
    """Yield the number of each item, and what the model writes of it."""
    sought = ((k, Sought(items.seen(k), items.store.read("question", k))) for k in range(len(items)))
    return written(model, items.encoder, sought, asked)


def judged(model: Any, items: Items, asked: Asked) -> Texts:
    """Return the figures of what the model writes of items."""
    texts = Texts(items.encoder.schema.metrics)
    for number, found in answered(model, items, asked):
        texts.add(found[0].text if found else "", items.texts(number)[1])
    return texts
