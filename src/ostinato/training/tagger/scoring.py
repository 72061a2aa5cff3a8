"""A tagger's tags beside the truth: figures of a store, or of a file group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.store import Store
from ostinato.models.tagged import Tagged
from ostinato.training.devices import device_of
from ostinato.training.metrics.entities import Entities
from ostinato.training.metrics.labels import ClassRow, OneLabel
from ostinato.training.supervised.batches import in_batches
from ostinato.training.tagger.encoding import TaggerSchema, collate, known

AT_ONCE = 64
OTHER = "(not learned from)"


class Tally:
    """Adds up a model's tags. Tags that were not learned from are one more class, `OTHER`, never right."""

    def __init__(self, model: Any, schema: TaggerSchema):
        self.model, self.schema = model, schema
        self.items = self.tagged = 0
        self.nats = 0.0
        self.labels = OneLabel([*schema.tags, OTHER])
        self.entities = None if schema.scheme == "plain" else Entities(bioes=schema.scheme == "bioes")

    @torch.no_grad()
    def add(self, batch: Tagged, tags: Sequence[NDArray], names: Sequence[str]) -> list[tuple[NDArray, NDArray]]:
        """Tag a batch and compare with the numbers of its tags, which `names` names; return tags and confidence."""
        batch = known(batch, len(self.schema.tags))
        scores, _ = self.model(batch)
        nats, counts = self.model.losses(scores, batch)
        self.nats, self.tagged = self.nats + float(nats.sum()), self.tagged + int(counts.sum())
        found = self.model.tag(batch, scores)
        told = [part.numpy(force=True) for part in found]
        rows = [(told[0][: len(row), k], told[1][: len(row), k]) for k, row in enumerate(tags)]
        for truth, (said, _) in zip(tags, rows, strict=True):
            self.items += 1
            self.labels.add(np.minimum(truth, len(self.schema.tags)), said)
            if self.entities is not None:
                self.entities.add([names[int(k)] for k in truth], [names[int(k)] for k in said])
        return rows

    def figures(self) -> dict[str, float]:
        """Return the figures of what was added.

        `errors` (the share of tags that are wrong), `nats` a tag, `accuracy`, `macro_f1`; of entities also `f1`,
        `precision`, `recall`, and `f1_gap`, 1 less f1.
        """
        found = self.labels.figures()
        figures = {"errors": 1 - found["accuracy"], "nats": self.nats / max(1, self.tagged), **found}
        if self.entities is None:
            return figures
        entities = self.entities.figures()
        return {"f1_gap": 1 - entities["f1"], **figures, **entities}

    def rows(self) -> list[ClassRow]:
        """Return a row for each type of entity, or for each tag."""
        if self.entities is not None:
            return self.entities.rows()
        return [row for row in self.labels.rows() if row.name != OTHER or row.support]

    def confusion(self) -> tuple[NDArray, list[str]]:
        """Return what is taken for what, and the names of the tags."""
        counts, names = self.labels.counts, self.labels.names
        return (counts, names) if counts[-1].any() else (counts[:-1, :-1], names[:-1])


def tally(model: Any, store: Store, schema: TaggerSchema) -> Tally:
    """Return the tags of a model over a store, added up."""
    found, names = Tally(model, schema), [*schema.tags, *schema.others]
    for numbers, batch in in_batches(store, by_of(schema), AT_ONCE, collate, device_of(model)):
        found.add(batch, [store.read("tags", int(k)) for k in numbers], names)
    return found


def by_of(schema: TaggerSchema) -> str:
    """Return the column of a store whose length is the item's."""
    return schema.inputs


def in_words(schema: TaggerSchema, found: dict[str, float]) -> str:
    """Say the figures of a part in a line."""
    tags = f"accuracy {found['accuracy']:.2%}"
    if schema.scheme == "plain":
        return f"{tags}, macro-F1 {found['macro_f1']:.3f}, {found['nats']:.4f} nats"
    entities = f"F1 {found['f1']:.2%} (precision {found['precision']:.2%}, recall {found['recall']:.2%})"
    return f"entities {entities}, {tags}, {found['nats']:.4f} nats"
