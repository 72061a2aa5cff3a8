"""A classifier's answers beside the truth: figures of a store, or of a file group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.store import Store
from ostinato.models.classifier import Classifier, Examples
from ostinato.training.classifier.encoding import ClassifierSchema, as_targets, collate, padded
from ostinato.training.devices import device_of, move
from ostinato.training.metrics.labels import Numbers, OneLabel, SeveralLabels
from ostinato.training.supervised.batches import in_batches

AT_ONCE = 64


class Tally:
    """Adds up a model's answers; `counts` is what `training.metrics.labels` keeps of them."""

    def __init__(self, model: Classifier, schema: ClassifierSchema):
        self.model, self.schema = model, schema
        self.items, self.loss = 0, 0.0
        kinds = {"label": OneLabel, "labels": SeveralLabels}
        self.counts: Any = Numbers() if schema.answer == "numbers" else kinds[schema.answer](schema.labels)

    def add(self, inputs: list[NDArray], targets: NDArray) -> None:
        """Answer encoded sequences and compare with their targets (B, O)."""
        self.compare(Examples(*padded(inputs), as_targets(targets)), targets)

    @torch.no_grad()
    def compare(self, examples: Examples, targets: NDArray) -> None:
        """Answer a batch and compare with its targets (B, O)."""
        examples = move(examples, device_of(self.model))
        scores = self.model(examples.inputs, examples.lengths)[0].float()
        self.loss += float(self.model.losses(scores, examples.targets).sum())
        self.items += len(targets)
        self.counts.add(self._truth(targets), chosen(self.schema, scores))

    def figures(self) -> dict[str, float]:
        """Return the figures of what was added.

        Of a label: `errors` (the share wrong), `nats` an item, `accuracy`, `macro_f1` and `macro_f1_gap`, 1 less it. Of
        several labels, an item is wrong with any label wrong. Of numbers: `mse` (of scaled ones), `mae`, `rmse`, `r2`.
        """
        found, mean = self.counts.figures(), self.loss / max(1, self.items)
        if self.schema.answer == "numbers":
            return {"mse": mean, **found}
        right = found["accuracy" if self.schema.answer == "label" else "subset_accuracy"]
        return {"errors": 1 - right, "nats": mean, "macro_f1_gap": 1 - found["macro_f1"], **found}

    def _truth(self, targets: NDArray) -> NDArray:
        if self.schema.answer == "label":
            return targets[:, 0]
        if self.schema.answer == "labels":
            return targets
        return targets * self.schema.answer_deviation + self.schema.answer_mean


def tally(model: Classifier, store: Store, schema: ClassifierSchema) -> Tally:
    """Return the answers of a model over a store, added up."""
    found = Tally(model, schema)
    for batch, examples in in_batches(store, "inputs", AT_ONCE, collate, device_of(model)):
        found.compare(examples, np.stack([store.read("target", int(k)) for k in batch]))
    return found


def chosen(schema: ClassifierSchema, scores: Tensor) -> NDArray:
    """Return what the model answers: numbers of labels (B,), 0 and 1 (B, O), or numbers in their own units (B, O)."""
    if schema.answer == "label":
        return scores.argmax(-1).numpy(force=True)
    if schema.answer == "labels":
        return (scores > 0).numpy(force=True).astype(np.int64)
    return scores.numpy(force=True).astype(np.float64) * schema.answer_deviation + schema.answer_mean


def in_words(schema: ClassifierSchema, found: dict[str, float]) -> str:
    """Say the figures of a part in a line."""
    if schema.answer == "numbers":
        return f"mae {found['mae']:.4g}, rmse {found['rmse']:.4g}, r2 {found['r2']:.3f}"
    if schema.answer == "label":
        return f"accuracy {found['accuracy']:.2%}, macro-F1 {found['macro_f1']:.3f}, {found['nats']:.4f} nats"
    return (
        f"all labels right {found['subset_accuracy']:.2%}, micro-F1 {found['micro_f1']:.3f}, {found['nats']:.4f} nats"
    )
