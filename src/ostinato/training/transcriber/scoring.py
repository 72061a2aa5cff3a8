"""A transcriber beside the truth: nats of what was said, and what it writes beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ostinato.data.store import Store
from ostinato.models.transcriber import Transcriber, Utterances
from ostinato.training.devices import device_of
from ostinato.training.metrics import texts
from ostinato.training.supervised.batches import in_batches
from ostinato.training.transcriber.encoding import Encoder, collate, text_of
from ostinato.training.transcriber.searching import Asked, Hypothesis, of_encoded

AT_ONCE = 32
METRICS = ("cer", "wer", "exact")


class Tally:
    """Adds up what a model writes beside what was said."""

    def __init__(self, model: Transcriber, encoder: Encoder, asked: Asked):
        self.model, self.encoder, self.asked = model, encoder, asked
        self.texts = texts.Texts(METRICS)
        self.nats, self.symbols, self.misfits = 0.0, 0, 0

    @torch.no_grad()
    def add(self, batch: Utterances, said: list[str]) -> list[list[Hypothesis]]:
        """Write a batch, compare with what was said, and return what was written."""
        encoded = self.model.encode(batch.inputs, batch.lengths)
        self.nats += float(self.model.losses(encoded, batch).sum())
        self.symbols += self.model.count(batch)
        self.misfits += int((~self.model.fits(batch)).sum())
        found = of_encoded(self.model, self.encoder, encoded, self.asked)
        for hypotheses, text in zip(found, said, strict=True):
            self.texts.add(hypotheses[0].text if hypotheses else "", [" ".join(self.encoder.units.text(text).split())])
        return found

    @property
    def items(self) -> int:
        """Return how many utterances were added."""
        return self.texts.items

    def figures(self) -> dict[str, float]:
        """Return `cer` and `wer` (shares of characters and words that are wrong), `exact`, and `nats` a symbol.

        Texts that are longer than their sounds allow are in all but `nats`.
        """
        return {**self.texts.figures(), "nats": self.nats / max(1, self.symbols)}

    def lines(self) -> list[str]:
        """Return what is to be said of it beside its figures."""
        said = self.asked.lines()
        if self.misfits:
            texts = f"{self.misfits:,} texts are" if self.misfits > 1 else "1 text is"
            said.append(f"{texts} longer than CTC allows in so short a sound, and not in the nats")
        return said


def tally(
    model: Transcriber,
    store: Store,
    encoder: Encoder,
    asked: Asked,
    told: Callable[[int, list[Hypothesis]], Any] | None = None,
) -> Tally:
    """Return what a model writes of a store, added up; `told` gets the number of each item and what is written."""
    found = Tally(model, encoder, asked)
    for numbers, batch in in_batches(store, "frames", AT_ONCE, collate, device_of(model)):
        written = found.add(batch, [text_of(store, int(k)) for k in numbers])
        for k, hypotheses in zip(numbers, written, strict=True):
            if told is not None:
                told(int(k), hypotheses)
    return found


def in_words(found: dict[str, float]) -> str:
    """Say the figures of a part in a line."""
    return f"{texts.in_words(found)}, {found['nats']:.4f} nats a symbol"
