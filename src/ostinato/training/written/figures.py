"""Figures of models that write: the nats of right symbols, and those of texts beside references, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from ostinato.training.metrics import texts


@torch.no_grad()
def nats_of(model: Any, batches: Iterable[Any]) -> dict[str, float]:
    """Return the mean nats of a symbol over batches, the end of each sequence a symbol too, and the perplexity."""
    nats, count = 0.0, 0
    for batch in batches:
        nats += float(model.losses(batch).sum())
        count += model.count(batch)
    mean = nats / max(1, count)
    return {"nats": mean, "perplexity": math.exp(min(mean, 700.0))}


def in_words(figures: dict[str, float]) -> str:
    """Say the figures of a validation, or of a report, in a line.

    >>> in_words({"errors": 0.25, "nats": 0.5, "perplexity": 1.6487})
    '75.00% exactly right, 0.5000 nats a symbol, perplexity 1.649'
    """
    errors = {"exact": 1 - figures["errors"]} if "errors" in figures else {}
    written = texts.in_words({**errors, **figures})
    nats = f"{figures['nats']:.4f} nats a symbol, perplexity {figures['perplexity']:.4g}"
    return f"{written}, {nats}" if written else nats
