"""The model of a run."""

from __future__ import annotations

from dataclasses import asdict

import torch

from ostinato.data.units import Units
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import Translator
from ostinato.training.config import TranslatorRun, above_zero

DECODES = ("context", "attention", "attend", "input_feeding", "coverage", "copy", "tied")


def build_model(run: TranslatorRun, source: Units, target: Units) -> Translator:
    """Return a new model of these settings. Raises ConfigError for what does not fit."""
    return _network(run, source.size, target.size)


def check_network(run: TranslatorRun) -> None:
    """Refuse a network that cannot be, before any file is read. Raises ConfigError."""
    for name in ("decoder_size", "decoder_layers"):
        above_zero(name, getattr(run.model, name))
    with torch.random.fork_rng():
        _network(run, 2, 2)


def _network(run: TranslatorRun, source: int, target: int) -> Translator:
    settings = asdict(run.model)
    cell = settings.pop("decoder_cell") or run.model.cell
    size = settings.pop("decoder_size") or run.model.hidden_size
    layers = settings.pop("decoder_layers") or run.model.num_layers
    decodes = {name: settings.pop(name) for name in DECODES}
    directions = settings.pop("directions")
    encoder = Encoder(vocabulary_size=source, bidirectional=directions == 2, **settings)
    settings |= {"cell": cell, "hidden_size": size, "num_layers": layers}
    decoder = Decoder(target, context_size=encoder.output_size, memory_size=encoder.output_size, **settings, **decodes)
    return Translator(encoder, decoder, smoothing=run.training.label_smoothing)
