"""The model of a run: the recurrent one, or the baseline that its settings name; and how a fitted one is solved for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.data.store import Store
from ostinato.data.vocabulary import Vocabulary
from ostinato.models.baselines.encoders import Bag, Constant, Convolution, Perceptron, Summary
from ostinato.models.baselines.ngrams import NgramClassifier
from ostinato.models.classifier import Classifier
from ostinato.training.classifier.encoding import ClassifierSchema, Encoder
from ostinato.training.config import ClassifierRun

ENCODERS: dict[str, dict[str, Any]] = {
    "majority": {"symbols": Constant, "frames": Constant},
    "bag": {"symbols": Bag, "frames": Summary},
    "mlp": {"symbols": Perceptron, "frames": Perceptron},
    "convolution": {"symbols": Convolution, "frames": Convolution},
}
"""Baseline → what stands in place of the recurrence, by what is read."""
FITTED = ("majority", "ngram")
"""Baselines that are solved for and take no steps."""


def build_model(run: ClassifierRun, schema: ClassifierSchema, vocabulary: Vocabulary | None) -> Any:
    """Return a new model of these settings. Raises ConfigError for a baseline that cannot read the data."""
    settings = asdict(run.model)
    baseline = settings.pop("baseline")
    if baseline == "ngram":
        return _ngrams(schema, vocabulary)
    settings["bidirectional"] = settings.pop("directions") == 2
    unknown = Encoder(schema, run.data, vocabulary).unknown
    if unknown is None:
        settings = {k: v for k, v in settings.items() if k not in ("embedding_size", "symbol_dropout")}
    return Classifier(
        len(schema.labels),
        vocabulary_size=None if vocabulary is None else vocabulary.size,
        input_size=schema.width * run.data.stack or None,
        unknown=unknown,
        answer=schema.answer,
        weights=class_weights(schema, run.training.class_weights),
        encoder=ENCODERS[baseline][schema.inputs] if baseline in ENCODERS else None,
        **settings,
    )


def class_weights(schema: ClassifierSchema, kind: str) -> Tensor | None:
    """Return weights (O,) of the labels, one on average over all items; None where all items count the same.

    >>> class_weights(ClassifierSchema("symbols", "label", ["a", "b"], [1, 4]), "balanced")
    tensor([2.5000, 0.6250])
    """
    if kind == "none" or not schema.counts:
        return None
    counts = np.maximum(1, schema.counts)
    weights = counts ** (-1.0 if kind == "balanced" else -0.5)
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


def fitting(run: ClassifierRun, schema: ClassifierSchema, model: Any, train: Store) -> Callable[[], None] | None:
    """Return what finds the weights of a baseline that takes no steps; None for all other models."""
    if run.model.baseline == "majority":
        return lambda: _fit_shares(model, schema, len(train))
    if run.model.baseline == "ngram":
        return lambda: _fit_ngrams(model, run, schema, train)
    return None


def _fit_shares(model: Classifier, schema: ClassifierSchema, items: int) -> None:
    """Let the bias alone answer: log of a label's share, its log-odds where each is judged by itself, or the mean."""
    shares = torch.tensor([(count + 0.5) / (items + 1) for count in schema.counts])
    with torch.no_grad():
        model.scores.weight.zero_()
        model.scores.bias.zero_()
        if schema.answer != "numbers":
            model.scores.bias.copy_(shares.log() if schema.answer == "label" else shares.logit())


def _fit_ngrams(model: NgramClassifier, run: ClassifierRun, schema: ClassifierSchema, train: Store) -> None:
    weights = class_weights(schema, run.training.class_weights)
    model.fit(
        [train.read("inputs", k) for k in range(len(train))],
        train.column("target").tolist(),
        weights=None if weights is None else weights.numpy(),
    )


def _ngrams(schema: ClassifierSchema, vocabulary: Vocabulary | None) -> NgramClassifier:
    if vocabulary is None or schema.answer != "label":
        got = "frames" if vocabulary is None else f"answers that are {schema.answer}"
        raise ConfigError("--baseline", f"ngram with {got}", "It gives one label to a text", "Take bag, mlp or another")
    return NgramClassifier(len(schema.labels), vocabulary.size, order=4 if vocabulary.kind != "word" else 2)
