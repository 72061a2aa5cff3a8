"""What is seen and said into a run: one pass over the files, then symbols are learned and items written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError
from ostinato.data.images import Captioned, CaptionedSet, Columns, ContextKind, Images, open_captioned
from ostinato.data.place import Place
from ostinato.data.repeats import Repeats
from ostinato.data.splitting import BY_CONTENT, PARTS, Part, TextDealer, check_parts, parts_asked
from ostinato.data.store import Store, Writer
from ostinato.data.units import Units
from ostinato.training.captioner.encoding import COLUMNS, PICTURES, CaptionerSchema, Encoder, as_rows, text_of
from ostinato.training.config import CaptionerRun, above_zero
from ostinato.training.config.captioner import CaptionedData
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.scaling import Scaling
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.written.unknown import unknown_lines

METRICS = {"char": ("exact", "cer", "characters"), "byte": ("exact", "cer", "characters"), "symbols": ("per", "exact")}
"""Figures of what is written, by the kind of its symbols; of texts those of captions."""
OF_TEXTS = ("exact", "bleu", "chrf")
OF_ANSWERS = ("exact", "chrf")
ASKS = {"auto": None, "yes": True, "no": False}


class Told(NamedTuple):
    """An item without what is seen of it, which lies in the store of pictures."""

    part: Part
    place: Place
    picture: int
    question: str | None
    captions: tuple[str, ...]


def opened_set(
    data: CaptionedData, file: str, *, captioned: bool = True, kind: ContextKind = "image", width: int | None = None,
    skip: Skipped,
) -> CaptionedSet:  # fmt: skip
    """Open a file, a folder or a world as the settings say; `skip` counts images that cannot be read, if they may be.

    `kind` is what lines of text without columns are, `width` how many numbers a vector has, where that is known.
    """
    vector = tuple(name.strip() for name in (data.vector or "").split(",") if name.strip())
    columns = Columns(data.image_column, vector, data.caption_column, data.question_column, width)
    images = Images(data.image_size, data.fit, None if data.images is None else Path(data.images))
    return open_captioned(
        file, columns=columns, images=images, encoding=data.encoding, captioned=captioned, kind=kind,
        asks=ASKS[data.questions], skip=skip.add if data.unreadable == "skip" else None,
    )  # fmt: skip


def check(data: CaptionedData) -> None:
    """Refuse settings that cannot be. Raises ConfigError."""
    for name in ("longest", "least", "image_size"):
        above_zero(name, getattr(data, name))
    if data.vector is not None and not any(name.strip() for name in data.vector.split(",")):
        raise ConfigError("vector", f"{data.vector!r} names no column", "Possible: r,g,b", "Name one, or leave it out")
    parts_asked(data.validation, data.test)


class Sources:
    """The files of a run, read once, each item with its part."""

    def __init__(self, data: CaptionedData, seed: int):
        self.data, self.seed, self.skipped = data, seed, Skipped("item")
        self.shares, files = parts_asked(data.validation, data.test)
        self.asked = {"train", *files, *(part for part, share in self.shares.items() if share)}
        self.sources: dict[Part | None, CaptionedSet] = {None: opened_set(data, data.file, skip=self.skipped)}
        self.sources |= {part: opened_set(data, file, skip=self.skipped) for part, file in files.items()}
        self.main = self.sources[None]
        for source in self.sources.values():
            self._check(source)

    def items(self) -> Iterator[tuple[Part, Captioned]]:
        """Yield each item that has a caption with its part, all that see the same with one; count the others."""
        dealer = TextDealer(**self.shares, seed=self.seed)
        for fixed, source in self.sources.items():
            for item in source:
                if not item.captions:
                    self.skipped.add("without a caption", item.place)
                elif item.question == "":
                    self.skipped.add("without a question", item.place)
                else:
                    yield fixed or dealer.part(_digest(item.context)), item

    def _check(self, source: CaptionedSet) -> None:
        if (source.kind, source.has_questions) != (self.main.kind, self.main.has_questions):
            got = f"{source.format}, beside {self.main.format}"
            raise DataError(source.name, got, "All files of a run are alike", "Name the columns, or --questions")


def prepare(run: CaptionerRun, folder: RunFolder, display: Display) -> None:
    """Write symbols, schema and items into the run's folder. Raises DataError for what cannot be learned from."""
    data, sources = run.data, Sources(run.data, run.training.seed)
    for source in sources.sources.values():
        display.say(f"read    {source.name}: {source.format}")
    repeats = Repeats()
    told, shape, scaling = _read_once(sources, folder, repeats)
    counts: dict[Part, int] = {part: 0 for part in PARTS if part in sources.asked}
    for item in told:
        counts[item.part] += 1
    check_parts(counts, data.file, dealt=BY_CONTENT)
    target = _learned(data, (caption for item in told if item.part == "train" for caption in item.captions))
    question = None
    if sources.main.has_questions:
        question = _learned(data, (item.question or "" for item in told if item.part == "train"))
        write_text(folder.source_tokenizer, question.to_json())
    metrics = METRICS.get(target.kind, OF_ANSWERS if question else OF_TEXTS)
    schema = CaptionerSchema(sources.main.kind, list(shape), question is not None, list(metrics))
    if data.standardise and scaling is not None:
        schema = replace(schema, mean=scaling.mean.tolist(), deviation=scaling.deviation.tolist())
    write_text(folder.tokenizer, target.to_json())
    encoder = Encoder(schema, target, question)
    _check_scaled(folder, told, encoder)
    longest = _write_items(folder, told, encoder, data, sources.skipped)
    write_schema(folder.schema, replace(schema, longest=longest))
    for line in (*sources.skipped.lines(), *_unknown(folder, encoder, data), *map(str, repeats.overlaps())):
        display.say(f"note    {line}")


def _read_once(
    sources: Sources, folder: RunFolder, repeats: Repeats
) -> tuple[list[Told], tuple[int, ...], Scaling | None]:
    """Write what is seen, each once, and return the rest, the shape of what is seen, and its scaling where it has one.

    Raises DataError where shapes differ.
    """
    told: list[Told] = []
    numbers: dict[str, int] = {}
    first: Captioned | None = None
    scaling = writer = None
    with ExitStack() as stack:
        for part, item in sources.items():
            if first is None or writer is None:
                first, rows = item, as_rows(item.context)
                columns = {"seen": (item.context.dtype, rows.shape[1])}
                writer = stack.enter_context(Writer(folder.items / PICTURES, columns))
                scaling = None if sources.main.kind == "image" else Scaling(rows.shape[1])
            _check_shape(item, first)
            rows = as_rows(item.context)
            digest = _digest(item.context)
            if digest not in numbers:
                numbers[digest] = len(numbers)
                writer.add(seen=rows)
            if scaling is not None and part == "train":
                scaling.add(rows)
            repeats.add(part, digest, item.place)
            told.append(Told(part, item.place, numbers[digest], item.question, item.captions))
    if first is None:
        possible = "; ".join(sources.skipped.lines()) or sources.main.format
        raise DataError(sources.main.name, "no item with a caption", possible, "Check how it was made")
    return told, first.context.shape, scaling


def _digest(context: NDArray) -> str:
    """Return what tells what is seen from all else: names do not, as files of equal names lie in several folders."""
    return hashlib.blake2b(repr(context.shape).encode() + context.tobytes(), digest_size=16).hexdigest()


def _check_shape(item: Captioned, first: Captioned) -> None:
    if item.context.shape != first.context.shape:
        got = f"{item.context.shape} numbers, where the first item has {first.context.shape}"
        raise DataError(str(item.place), got, "All that is seen has one shape", "Leave it out, or convert it")


def _learned(data: CaptionedData, texts: Iterator[str]) -> Units:
    return Units.learn(
        data.tokens, texts, data.vocabulary_size, least=data.least, lowercase=data.lowercase, composed=True
    )


def _check_scaled(folder: RunFolder, told: list[Told], encoder: Encoder) -> None:
    pictures = Store(folder.items / PICTURES)
    for item in told:
        if not encoder.is_finite(pictures.read("seen", item.picture)):
            possible = "Numbers are brought to deviation 1 over what is learned from"
            got = "a number that is not finite once it is scaled"
            raise DataError(str(item.place), got, possible, "Correct it, leave it out, or use --no-standardise")


def _write_items(folder: RunFolder, told: list[Told], encoder: Encoder, data: CaptionedData, skipped: Skipped) -> int:
    """Write the items of each part: each caption is learned from, too long ones are not; others are judged by all.

    Returns the symbols of the longest that is learned from.
    """
    longest = 0
    with ExitStack() as stack:
        writers = {part: stack.enter_context(Writer(folder.items / part, COLUMNS)) for part in PARTS}
        for item in told:
            common = {
                "question": encoder.ask(item.question),
                "picture": np.array([item.picture]),
                "text": text_of(item.question, [encoder.target.text(caption) for caption in item.captions]),
            }
            for caption in item.captions if item.part == "train" else item.captions[:1]:
                target = encoder.write(caption)
                if item.part == "train" and len(target) > data.longest:
                    skipped.add(f"of more than {data.longest:,} symbols (--longest)", item.place)
                else:
                    writers[item.part].add(target=target, **common)
                    longest = max(longest, len(target)) if item.part == "train" else longest
        if not writers["train"].count:
            raise DataError(data.file, f"every caption has more than {data.longest:,} symbols", "", "Raise --longest")
    return longest


def _unknown(folder: RunFolder, encoder: Encoder, data: CaptionedData) -> list[str]:
    """Say where many symbols of what is learned from are unknown."""
    train, settings = Store(folder.items / "train"), {"least": data.least, "vocabulary_size": data.vocabulary_size}
    if encoder.question is None:
        return unknown_lines("captions", train.all("target"), encoder.target, **settings)
    lines = unknown_lines("questions", train.all("question"), encoder.question, **settings)
    return [*lines, *unknown_lines("answers", train.all("target"), encoder.target, **settings)]
