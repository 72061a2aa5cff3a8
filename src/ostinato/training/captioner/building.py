"""The model of a run."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from ostinato._errors import ConfigError
from ostinato.layers.image_encoder import ImageEncoder
from ostinato.layers.seen import BlindSeer, ImageSeer, Questioned, RegionSeer, Seer, VectorSeer
from ostinato.models.baselines.unigram import Unigram
from ostinato.models.captioner import Captioner
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder as Reader
from ostinato.training.captioner.encoding import CaptionerSchema, Encoder
from ostinato.training.config import CaptionerRun
from ostinato.training.config.captioner import CaptionerNetwork

DECODES = ("context", "attend", "input_feeding", "tied")


def build_model(run: CaptionerRun, encoder: Encoder) -> Captioner | Unigram:
    """Return a new model of these settings. Raises ConfigError for what does not fit."""
    schema, settings = encoder.schema, asdict(run.model)
    if run.model.baseline == "unigram":
        return Unigram(encoder.target.size)
    decodes = {name: settings.pop(name) for name in DECODES}
    for name in ("baseline", "channels", "vector_size", "attention"):
        settings.pop(name)
    seer = _seer(run.model, schema)
    reader = light = None
    size = seer.vector_size
    if encoder.question is not None:
        reader = Reader(vocabulary_size=encoder.question.size, bidirectional=False, **settings)
        count = None if seer.region_size is None else _regions(seer, schema)
        light = Questioned(seer.vector_size, reader.output_size, count, seer.region_size)
        size = light.vector_size
    decoder = Decoder(
        encoder.target.size, context_size=size, memory_size=seer.region_size,
        attention=attention_of(run.model, schema), **decodes, **settings,
    )  # fmt: skip
    return Captioner(seer, decoder, reader, light, smoothing=run.training.label_smoothing)


def attention_of(model: CaptionerNetwork, schema: CaptionerSchema) -> str:
    """Return how regions are looked at. Raises ConfigError for attention to what has none."""
    regions = schema.kind != "vector" and model.baseline == "none"
    if model.attention == "auto":
        return "general" if regions else "none"
    if model.attention != "none" and not regions:
        got = f"'{model.attention}' to {'what is not seen' if model.baseline != 'none' else 'a vector'}"
        raise ConfigError("attention", got, "It looks at regions of an image", "Leave it out")
    return model.attention


def channels_of(model: CaptionerNetwork) -> tuple[int, ...]:
    """Return the channels of the convolutions. Raises ConfigError for what are no numbers."""
    parts = [part.strip() for part in model.channels.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 6 for part in parts):
        possible = "Possible: whole numbers with commas between them, as 32,48,64"
        raise ConfigError("channels", f"'{model.channels}'", possible, "Each halves the image")
    return tuple(map(int, parts))


def _seer(model: CaptionerNetwork, schema: CaptionerSchema) -> Any:
    size = model.vector_size
    if size < 1:
        raise ConfigError("vector_size", f"{size}", "Possible: whole numbers from 1", "Use 128")
    if model.baseline == "blind":
        return BlindSeer(size)
    if schema.kind == "image":
        return ImageSeer(ImageEncoder(schema.shape[0], channels_of(model), size))
    width = schema.shape[-1]
    return VectorSeer(width, size) if schema.kind == "vector" else RegionSeer(width, size)


def _regions(seer: Seer, schema: CaptionerSchema) -> int:
    return seer.encoder.side**2 if isinstance(seer, ImageSeer) else math.prod(schema.shape[:-1])
