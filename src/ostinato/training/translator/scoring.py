"""A translator beside the truth: the nats of right symbols, and what it writes beside the references."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.data.store import Store
from ostinato.models.translator import Translator
from ostinato.training.devices import device_of
from ostinato.training.metrics.texts import Texts
from ostinato.training.supervised.batches import in_batches
from ostinato.training.translator.encoding import Encoder, texts_of
from ostinato.training.translator.searching import written
from ostinato.training.written import figures
from ostinato.training.written.hypotheses import Asked, Hypothesis, text_of

AT_ONCE = 64


def nats_of(model: Translator, store: Store, encoder: Encoder) -> dict[str, float]:
    """Return the mean nats of a symbol over the pairs of a store, and the perplexity."""
    batches = in_batches(store, "source", AT_ONCE, encoder.collate, device_of(model))
    return figures.nats_of(model, (batch for _, batch in batches))


def answered(model: Translator, store: Store, encoder: Encoder, asked: Asked) -> Iterator[tuple[int, list[Hypothesis]]]:
    """Yield the number of each item of a store, and what the model writes of it."""
    return written(model, encoder, range(len(store)), lambda k: texts_of(store, k)[0], asked)


def judged(model: Translator, store: Store, encoder: Encoder, asked: Asked) -> Texts:
    """Return the figures of what the model writes of a store."""
    texts = Texts(encoder.schema.metrics, lowercase=encoder.target.lowercase)
    for number, found in answered(model, store, encoder, asked):
        texts.add(text_of(found), texts_of(store, number)[1])
    return texts
