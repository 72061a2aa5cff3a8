"""Files of labelled sequences into a run: one pass learns vocabulary, labels and scaling, a second writes the items."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ostinato._errors import ConfigError, DataError
from ostinato.data.repeats import Repeats
from ostinato.data.splitting import PARTS, Dealer, Part, check_classes, check_parts, part_named, parts_asked
from ostinato.data.store import Writer
from ostinato.data.vocabulary import Vocabulary
from ostinato.training.classifier.encoding import (
    ClassifierSchema,
    Encoder,
    UnseenLabel,
    as_read,
    compressed,
    labels_of,
    numbers_of,
    why_unused,
)
from ostinato.training.classifier.source import FramesOf, Raw, Texts, open_source
from ostinato.training.config import ClassifierRun
from ostinato.training.config.classifier import LabelledData
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.scaling import Scaling
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped

LONGEST_LABEL_LIST = 10_000
"""Labels above which a column is none of labels."""


@dataclass
class Found:
    """What the first pass finds."""

    counts: dict[Part, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    labels: Counter[str] = field(default_factory=Counter)
    scaling: Scaling | None = None
    answers: Scaling | None = None


class Reading:
    """The files of a run, read as often as is needed, each item with its part."""

    def __init__(self, data: LabelledData, seed: int):
        self.data, self.seed = data, seed
        self.shares, files = parts_asked(data.validation, data.test) if data.part is None else parts_asked("0", None)
        self.asked = {"train", *files, *(part for part, share in self.shares.items() if share)}
        self.sources: dict[Part | None, Texts | FramesOf] = {None: open_source(data, data.file)}
        self.sources |= {part: open_source(data, file) for part, file in files.items()}
        self.is_frames = isinstance(self.sources[None], FramesOf)
        if any(isinstance(source, FramesOf) != self.is_frames for source in self.sources.values()):
            raise DataError(data.file, "texts in one part, frames in another", "All parts are of one kind")

    def items(self, skipped: Skipped) -> Iterator[tuple[Part, Raw]]:
        """Yield each item that can be used with its part; count the others."""
        dealer = Dealer(**self.shares, seed=self.seed)
        for fixed, source in self.sources.items():
            for raw in source:
                if (reason := why_unused(raw, self.data)) is not None:
                    skipped.add(reason, raw.place)
                elif fixed is not None:
                    yield fixed, raw
                elif self.data.part is not None:
                    yield part_named(raw.part, raw.place, self.data.part), raw
                else:
                    yield dealer.part(self._stratum(raw)), raw

    def _stratum(self, raw: Raw) -> str | None:
        """Return what parts should have in the same shares: the label."""
        return labels_of(raw, self.data)[0] if self.data.answer == "label" else None


def prepare(run: ClassifierRun, folder: RunFolder, display: Display) -> None:
    """Write vocabulary, schema and items into the run's folder. Raises DataError for what cannot be learned from."""
    reading, skipped = Reading(run.data, run.training.seed), Skipped("item")
    for part, source in reading.sources.items():
        file = run.data.file if part is None else getattr(run.data, "validation" if part == "valid" else "test")
        display.say(f"read    {file}: {source.said}")
    found, repeats = Found(), Repeats()
    vocabulary = _first_pass(run.data, reading, found, repeats, skipped)
    check_parts({part: n for part, n in found.counts.items() if part in reading.asked}, run.data.file)
    schema = _schema(run.data, reading, found)
    if vocabulary is not None:
        write_text(folder.tokenizer, vocabulary.to_json())
    write_schema(folder.schema, schema)
    encoder = Encoder(schema, run.data, vocabulary)
    _write_items(folder, reading, encoder, skipped)
    for line in (*skipped.lines(), *map(str, repeats.overlaps()), *encoder.cut_lines()):
        display.say(f"note    {line}")


def _first_pass(
    data: LabelledData, reading: Reading, found: Found, repeats: Repeats, skipped: Skipped
) -> Vocabulary | None:
    def texts() -> Iterator[list[str]]:
        for part, raw in reading.items(skipped):
            found.counts[part] += 1
            content = raw.inputs.encode("utf-8", "replace") if isinstance(raw.inputs, str) else raw.inputs.tobytes()
            repeats.add(part, content, raw.place)
            if part == "train":
                _learn(data, raw, found)
                if isinstance(raw.inputs, str):
                    yield [as_read(raw.inputs, data)]
        if not found.counts["train"]:
            possible = "; ".join(skipped.lines()) or "All items are in other parts"
            raise DataError(data.file, "no item to learn from", possible, "Check its columns, and how it is split")

    if not reading.is_frames:
        vocabulary = Vocabulary.learn(data.tokens, documents := texts(), data.vocabulary_size)
        for _ in documents:  # a byte vocabulary learns nothing from them
            pass
        return vocabulary
    for _ in texts():
        pass
    return None


def _learn(data: LabelledData, raw: Raw, found: Found) -> None:
    if data.answer == "numbers":
        answer = raw.answer if isinstance(raw.answer, (list, tuple, np.ndarray)) else [raw.answer]
        numbers = numbers_of(raw, len(answer) if found.answers is None else len(found.answers.mean))
        found.answers = found.answers or Scaling(len(numbers))
        found.answers.add(numbers[None])
    else:
        found.labels.update(labels_of(raw, data))
        if len(found.labels) > LONGEST_LABEL_LIST:
            got = f"more than {LONGEST_LABEL_LIST:,} different labels"
            raise DataError(data.file, got, "A label occurs many times", "Name its column with --label")
    if not isinstance(raw.inputs, str):
        width = raw.inputs.shape[1]
        found.scaling = found.scaling or Scaling(width)
        if len(found.scaling.mean) != width:
            got, others = f"frames of {width} numbers", len(found.scaling.mean)
            raise DataError(str(raw.place), got, f"The others have {others}", "Mend the file")
        found.scaling.add(compressed(raw.inputs, data.compress))


def _schema(data: LabelledData, reading: Reading, found: Found) -> ClassifierSchema:
    source = reading.sources[None]
    columns = [] if isinstance(source, FramesOf) else source.labels
    if data.answer == "numbers":
        assert found.answers is not None
        labels = (
            columns if len(columns) == len(found.answers.mean) else [f"y{k}" for k in range(len(found.answers.mean))]
        )
        scale = {"answer_mean": found.answers.mean.tolist(), "answer_deviation": found.answers.deviation.tolist()}
        counts = []
    else:
        labels, scale = sorted(found.labels, key=_by_number), {}
        counts = [found.labels[label] for label in labels]
        if data.answer == "label":
            check_classes(found.labels, data.file)
        elif not labels:
            raise DataError(data.file, "no label in the whole training part", "", "Check --label and --between")
    schema = ClassifierSchema(
        "frames" if reading.is_frames else "symbols", data.answer, labels, counts,
        text=None if isinstance(source, FramesOf) else source.text,
        columns=columns,
        width=0 if found.scaling is None else len(found.scaling.mean),
        **scale,
    )  # fmt: skip
    if found.scaling is None or not data.standardise:
        return schema
    return replace(schema, mean=found.scaling.mean.tolist(), deviation=found.scaling.deviation.tolist())


def _by_number(label: str) -> tuple[int, float, str]:
    """Sort labels that are numbers as numbers, before all others."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def _write_items(folder: RunFolder, reading: Reading, encoder: Encoder, skipped: Skipped) -> None:
    """Write the items of each part; an item whose label the training part has not is counted and left out."""
    schema = encoder.schema
    kind: Any = (np.float32, schema.width * reading.data.stack) if reading.is_frames else np.int32
    columns = {"inputs": kind, "target": np.int32 if schema.answer == "label" else np.float32}
    with (
        Writer(folder.items / "train", columns) as train,
        Writer(folder.items / "valid", columns) as valid,
        Writer(folder.items / "test", columns) as test,
    ):
        writers = {"train": train, "valid": valid, "test": test}
        for part, raw in reading.items(Skipped("item")):
            try:
                writers[part].add(inputs=encoder.inputs(raw), target=encoder.target(raw))
            except UnseenLabel as label:
                skipped.add(f"with the label '{label}', which the training part has not", raw.place)
    for part in ("valid", "test"):
        if part in reading.asked and not writers[part].count:
            file = getattr(reading.data, "validation" if part == "valid" else "test")
            where = file if part in reading.sources else reading.data.file
            raise DataError(
                where, f"no item is left in the part '{part}'", "; ".join(skipped.lines()), "Check its labels"
            )


def check(data: LabelledData) -> None:
    """Refuse settings of the data that cannot be."""
    if not data.file:
        raise ConfigError("file", "no file was given", "", "Give a file to learn from")
    if data.answer == "labels" and not data.between:
        raise ConfigError("--between", "it is empty", "It is what stands between two labels", "Leave it out")
    if data.compress is not None and not 0 < data.compress < math.inf:
        raise ConfigError("--compress", f"compress is {data.compress}", "It is greater than 0")
    for name, value in (("longest", data.longest), ("stack", data.stack)):
        if value is not None and value < 1:
            raise ConfigError(f"--{name}", f"{name} is {value}", "It is a whole number from 1")
    if data.part is not None and (data.validation != LabelledData.validation or data.test is not None):
        raise ConfigError("--part", "--validation or --test was given too", "A column names all parts", "Leave one out")
