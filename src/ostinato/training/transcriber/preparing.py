"""Files of speech into a run: all sounds are heard once, then units and scaling are known and the items written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError
from ostinato.data.place import Place
from ostinato.data.repeats import Repeats
from ostinato.data.splitting import PARTS, Part, check_parts
from ostinato.data.store import Store, Writer
from ostinato.data.units import Units
from ostinato.models.ctc import steps_needed
from ostinato.training.config import TranscriberRun, above_zero
from ostinato.training.config.transcriber import SpeechData, TranscriberNetwork
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.scaling import Scaling
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.transcriber.encoding import Encoder, TranscriberSchema, centred, columns, text_of
from ostinato.training.transcriber.source import (
    Ears,
    Reading,
    digits_of,
    features_of,
    first_rate,
    heard,
    why_unused,
)

MS = 1000.0


@dataclass
class Found:
    """What is found while sounds are heard."""

    counts: dict[Part, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    scaling: Scaling | None = None
    repeats: Repeats = field(default_factory=Repeats)
    unknown: int = 0
    """Texts with symbols that were never learned."""
    example: str = ""
    """The first of them."""


def prepare(run: TranscriberRun, folder: RunFolder, display: Display) -> None:
    """Write vocabulary, schema and items into the run's folder. Raises DataError for what cannot be learned from."""
    reading, skipped, found = Reading(run.data, run.training.seed), Skipped("utterance"), Found()
    for part, source in reading.sources.items():
        file = run.data.file if part is None else reading.files[part]
        display.say(f"read    {file}: {source.format}")
    ears = Ears(run.data, first_rate(reading), reading.sources[None].width)
    if ears.rate is not None:
        ears.features.check_bands()
    width = ears.width or run.data.bands
    raw: dict[Part, Path] = {part: folder.items / f"heard-{part}" for part in PARTS}
    _hear(reading, ears, raw, width, found, skipped)
    schema = _schema(run.data, ears, width, found)
    units = _units(run.data, Store(raw["train"]))
    write_text(folder.tokenizer, units.to_json())
    write_schema(folder.schema, schema)
    for part in PARTS:
        _write(Store(raw[part]), folder.items / part, Encoder(schema, units), run.model, part, found, skipped)
        shutil.rmtree(raw[part])
    if not len(Store(folder.items / "train")):
        advice = "Use a smaller --stack or --step-ms, or larger symbols (--tokens)"
        raise DataError(run.data.file, "no utterance is left to learn from", "; ".join(skipped.lines()), advice)
    for line in (*ears.lines(), *skipped.lines(), *_unknown(found), *map(str, found.repeats.overlaps())):
        display.say(f"note    {line}")


def _hear(reading: Reading, ears: Ears, raw: dict[Part, Path], width: int, found: Found, skipped: Skipped) -> None:
    """Hear every utterance once: write its frames and its text."""
    with ExitStack() as opened:
        kinds = {"frames": (np.float32, width), "text": np.uint8}
        writers = {part: opened.enter_context(Writer(raw[part], kinds)) for part in PARTS}
        for part, place, frames, text in _usable(reading, ears, skipped):
            writers[part].add(frames=frames, text=np.frombuffer(text.encode("utf-8", "replace"), np.uint8))
            found.counts[part] += 1
            found.repeats.add(part, frames.tobytes(), place)
            if part == "train":
                found.scaling = found.scaling or Scaling(width)
                found.scaling.add(centred(frames) if reading.data.centre else frames)
    if not found.counts["train"]:
        possible = "; ".join(skipped.lines()) or "All are in other parts"
        advice = "Check its columns, and how it is split"
        raise DataError(reading.data.file, "no utterance to learn from", possible, advice)
    asked: dict[Part, int] = {part: n for part, n in found.counts.items() if part in reading.asked}
    check_parts(asked, reading.data.file, "; ".join(skipped.lines()))


def _usable(reading: Reading, ears: Ears, skipped: Skipped) -> Iterator[tuple[Part, Place, NDArray[np.float32], str]]:
    """Yield part, place, frames and text of what can be learned from or scored; count the rest."""
    data = reading.data
    for part, utterance in reading.utterances():
        if (reason := why_unused(utterance)) is not None:
            skipped.add(reason, utterance.name)
        elif (frames := heard(ears, utterance, skipped)) is None:
            continue
        elif part == "train" and len(frames) * data.step_ms > data.longest * MS:
            skipped.add(f"longer than {data.longest:g} s", utterance.name)
        else:
            yield part, utterance.place, frames, utterance.text or ""


def _schema(data: SpeechData, ears: Ears, width: int, found: Found) -> TranscriberSchema:
    rate = None if ears.width is not None else ears.rate
    if found.scaling is None or not data.standardise:
        return TranscriberSchema(width, rate, centre=data.centre)
    return TranscriberSchema(width, rate, found.scaling.mean.tolist(), found.scaling.deviation.tolist(), data.centre)


def _units(data: SpeechData, train: Store) -> Units:
    def texts() -> Iterator[str]:
        return (text_of(train, k) for k in range(len(train)))

    return Units.learn(data.tokens, texts(), data.vocabulary_size, least=data.least, lowercase=data.lowercase)


def _write(
    raw: Store, path: Path, encoder: Encoder, model: TranscriberNetwork, part: Part, found: Found, skipped: Skipped
) -> None:
    """Write the items of a part; of what is learned from, a text that cannot be written in its sound is left out."""
    with Writer(path, columns(encoder.schema.width)) as writer:
        for k in range(len(raw)):
            text, frames = text_of(raw, k), raw.read("frames", k)
            target = encoder.text(text)
            if part == "train" and not _fits(model, target, -(-len(frames) // model.stack)):
                skipped.add("with a text longer than its sound allows", f"'{text:.40}' in {len(frames)} frames")
                continue
            if encoder.unknown(target):
                found.unknown, found.example = found.unknown + 1, found.example or text
            writer.add(frames=encoder.frames(frames), target=target, text=raw.read("text", k))


def _fits(model: TranscriberNetwork, target: np.ndarray, steps: int) -> bool:
    if model.loss == "transducer":  # which writes any number of symbols in a step
        return steps > 0
    return int(steps_needed(torch.from_numpy(target)[:, None], torch.tensor([len(target)]))) <= steps


def _unknown(found: Found) -> list[str]:
    if not found.unknown:
        return []
    count = f"{found.unknown:,} texts have" if found.unknown > 1 else "1 text has"
    return [f"{count} symbols that are not among those learned (the first: '{found.example:.40}')"]


def check(data: SpeechData) -> None:
    """Refuse settings of the data that cannot be."""
    if not data.file:
        raise ConfigError("file", "no file was given", "", "Give a file to learn from")
    if "-" in (data.file, data.validation, data.test):
        raise ConfigError("file", "standard input was given", "A model learns from files", "Write it to a file first")
    for name in ("least", "longest", "rate"):
        above_zero(name, getattr(data, name))
    if data.part is not None and (data.validation != SpeechData.validation or data.test is not None):
        raise ConfigError("--part", "--validation or --test was given too", "A column names all parts", "Leave one out")
    features_of(data, data.rate or 16000)
    digits_of(data, 0)
