"""A translator beside the truth: the nats of right symbols, and what it writes beside the references."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ostinato.data.store import Store
from ostinato.models.translator import Translator
from ostinato.training.devices import device_of
from ostinato.training.metrics.texts import Texts
from ostinato.training.supervised.batches import in_batches
from ostinato.training.translator.encoding import Encoder, texts_of
from ostinato.training.translator.searching import Asked, Hypothesis, written

AT_ONCE = 64


@torch.no_grad()
def nats_of(model: Translator, store: Store, encoder: Encoder) -> dict[str, float]:
    """Return the mean nats of a symbol over the pairs of a store, and the perplexity."""
    nats = count = 0.0
    for _, batch in in_batches(store, "source", AT_ONCE, encoder.collate, device_of(model)):
        nats += float(model.losses(batch).sum())
        count += model.count(batch)
    mean = nats / max(1.0, count)
    return {"nats": mean, "perplexity": math.exp(min(mean, 700.0))}


def answered(model: Translator, store: Store, encoder: Encoder, asked: Asked) -> Iterator[tuple[int, list[Hypothesis]]]:
    """Yield the number of each item of a store, and what the model writes of it."""
    return written(model, encoder, range(len(store)), lambda k: texts_of(store, k)[0], asked)


def judged(model: Translator, store: Store, encoder: Encoder, asked: Asked) -> Texts:
    """Return the figures of what the model writes of a store."""
    texts = Texts(encoder.schema.metrics)
    for number, found in answered(model, store, encoder, asked):
        texts.add(found[0].text if found else "", texts_of(store, number)[1])
    return texts
