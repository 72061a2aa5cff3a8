"""Sequences and answers as numbers, the same while training, testing and in use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import DataError, RunError
from ostinato.data.store import Store
from ostinato.data.vocabulary import Vocabulary
from ostinato.models.classifier import Examples
from ostinato.training.classifier.source import Raw
from ostinato.training.config.classifier import LabelledData


@dataclass(frozen=True)
class ClassifierSchema:
    """What a run learned of its data beside weights and vocabulary."""

    inputs: Literal["symbols", "frames"]
    answer: Literal["label", "labels", "numbers"]
    labels: list[str]
    """Labels to choose from, or names of the numbers."""
    counts: list[int] = field(default_factory=list)
    """How often each label occurs in what is learned from."""
    text: str | None = None
    """Column of the text."""
    columns: list[str] = field(default_factory=list)
    """Columns of the answer."""
    width: int = 0
    """Channels of frames."""
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    """Scaling of frames, channel by channel; empty where they are read as they are."""
    answer_mean: list[float] = field(default_factory=list)
    answer_deviation: list[float] = field(default_factory=list)
    """Scaling of numbers that are answered."""


class UnseenLabel(Exception):
    """An item has a label that the training part has not; the argument is that label."""


class Encoder:
    """Turns what is read into arrays; `vocabulary` is None for frames."""

    def __init__(self, schema: ClassifierSchema, data: LabelledData, vocabulary: Vocabulary | None):
        self.schema, self.data, self.vocabulary = schema, data, vocabulary
        self._numbers = {label: number for number, label in enumerate(schema.labels)}
        self._mean = np.array(schema.mean, np.float32)
        self._deviation = np.array(schema.deviation, np.float32)
        self.cut = 0
        """Sequences that were longer than is read."""

    def cut_lines(self) -> list[str]:
        """Return what is to be said of sequences that were longer than is read."""
        return [f"cut {self.cut:,} sequences to their first {self.data.longest:,} steps"] if self.cut else []

    @property
    def unknown(self) -> int | None:
        """Return the symbol that stands for what the vocabulary lacks; None for frames."""
        if self.vocabulary is None:
            return None
        return self.vocabulary.boundary if self.vocabulary.unknown is None else self.vocabulary.unknown

    def inputs(self, raw: Raw) -> NDArray:
        """Return symbols (T,) or frames (T, D). Raises DataError for what is of another kind or width."""
        if self.vocabulary is None:
            values = self._frames(raw)
        else:
            if not isinstance(raw.inputs, str):
                raise DataError(str(raw.place), "frames of numbers", "This model reads texts", "Give it texts")
            values = self.vocabulary.encode(as_read(raw.inputs, self.data), str(raw.place), whatever=True)
        longest = self.data.longest
        self.cut += longest is not None and len(values) > longest
        return values[:longest]

    def target(self, raw: Raw) -> NDArray:
        """Return the answer: a label's number (1,), 0 and 1 (O,), or scaled numbers (O,).

        Raises UnseenLabel, and DataError for numbers that are none.
        """
        if self.schema.answer == "numbers":
            numbers = numbers_of(raw, len(self.schema.labels))
            return ((numbers - self.schema.answer_mean) / self.schema.answer_deviation).astype(np.float32)
        found = labels_of(raw, self.data)
        for label in found:
            if label not in self._numbers:
                raise UnseenLabel(label)
        if self.schema.answer == "label":
            return np.array([self._numbers[found[0]]])
        target = np.zeros(len(self._numbers), np.float32)
        target[[self._numbers[label] for label in found]] = 1
        return target

    def _frames(self, raw: Raw) -> NDArray:
        values, width = raw.inputs, self.schema.width
        if isinstance(values, str):
            raise DataError(str(raw.place), "a text", f"This model reads frames of {width} numbers", "")
        if values.shape[1] != width:
            raise DataError(str(raw.place), f"frames of {values.shape[1]} numbers", f"The model reads {width} a step")
        values = compressed(values, self.data.compress)
        scaled = (values - self._mean) / self._deviation if self._mean.size else values
        return stacked(scaled, self.data.stack)


def compressed(frames: NDArray, size: float | None) -> NDArray:
    """Return asinh(x / size): x / size where it is small, its logarithm where it is large; None changes nothing."""
    return frames if size is None else np.arcsinh(frames / size).astype(frames.dtype)


def stacked(frames: NDArray, count: int) -> NDArray:
    """Return `count` frames side by side in each step, zeros after the last: (T, D) → (⌈T / count⌉, count · D).

    >>> stacked(np.array([[1.0], [2.0], [3.0]]), 2).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    if count == 1:
        return frames
    steps, width = -(-len(frames) // count), frames.shape[1]
    padded = np.zeros((steps * count, width), frames.dtype)
    padded[: len(frames)] = frames
    return padded.reshape(steps, count * width)


def as_read(text: str, data: LabelledData) -> str:
    """Return a text as the vocabulary reads it: words stand after a space, the first as well."""
    text = text.strip()
    text = text.lower() if data.lower else text
    return f" {text}" if data.tokens == "word" else text


def labels_of(raw: Raw, data: LabelledData) -> list[str]:
    """Return the labels of an item: one, or for `labels` any number of them. Raises DataError for what is no label."""
    values = raw.answer if isinstance(raw.answer, (list, tuple, np.ndarray)) else [raw.answer]
    if data.answer == "labels":
        texts = [text for value in values for text in _text(value, raw).split(data.between)]
        return list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if len(values) != 1:
        advice = "For several labels use --answer labels, for numbers --answer numbers"
        raise DataError(str(raw.place), f"{len(values)} labels", "One label a sequence is read", advice)
    if isinstance(raw.answer, np.ndarray):
        got = f"the number {values[0]:g} as the label"
        raise DataError(str(raw.place), got, "Labels are words or whole numbers", "For numbers use --answer numbers")
    return [_text(values[0], raw)]


def numbers_of(raw: Raw, count: int) -> NDArray[np.float64]:
    """Return the numbers (count,) of an item. Raises DataError for what is no number, and for another count."""
    values = raw.answer if isinstance(raw.answer, (list, tuple, np.ndarray)) else [raw.answer]
    numbers = []
    for value in values:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(str(raw.place), f"{value!r} is no number", "Answers are finite numbers", "Mend the row")
        numbers.append(number)
    if len(numbers) != count:
        raise DataError(str(raw.place), f"{len(numbers)} numbers", f"The others have {count}", "Mend the row")
    return np.array(numbers)


def why_unused(raw: Raw, data: LabelledData) -> str | None:
    """Return why an item is neither learned from nor scored; None where it is."""
    if not _has_answer(raw, data):
        return "without a label"
    if isinstance(raw.inputs, str):
        return None if raw.inputs.strip() else "without a text"
    return None if len(raw.inputs) else "without a step"


def _has_answer(raw: Raw, data: LabelledData) -> bool:
    """Whether an item says its answer; of several labels, none is an answer too."""
    if isinstance(raw.answer, float) and math.isnan(raw.answer):
        return False  # what a Parquet column holds where a table was empty
    if data.answer == "labels":
        return raw.answer is not None
    return raw.answer is not None and str(raw.answer).strip() != ""


def collate(store: Store, batch: NDArray) -> Examples:
    """Return a batch of a store of a classifier; a batch has one step at least."""
    items = [store.read("inputs", int(k)) for k in batch]
    targets = np.stack([store.read("target", int(k)) for k in batch])
    return Examples(*padded(items), as_targets(targets))


def padded(items: list[NDArray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sequences side by side (T, B[, D]), zero beyond their ends, and their lengths (B,)."""
    lengths = [len(item) for item in items]
    symbols = items[0].ndim == 1
    dtype = np.int64 if symbols else np.float32
    values = np.zeros((max(1, *lengths) if lengths else 1, len(items), *items[0].shape[1:]), dtype)
    for k, item in enumerate(items):
        values[: len(item), k] = item
    return torch.from_numpy(values), torch.tensor(lengths)


def as_targets(targets: NDArray) -> torch.Tensor:
    """Return targets as the model reads them: numbers of labels (B,), or (1, B, O)."""
    if np.issubdtype(targets.dtype, np.integer):
        return torch.from_numpy(targets[:, 0].astype(np.int64))
    return torch.from_numpy(targets)[None]


def check_schema(schema: ClassifierSchema, path: str) -> ClassifierSchema:
    """Return the schema. Raises RunError where its parts do not fit one another."""
    if not schema.labels or (schema.inputs == "frames") != bool(schema.width):
        raise RunError(path, "damaged: it names no labels, or no channels", "", "Train anew with --overwrite")
    return schema


def _text(value: Any, raw: Raw) -> str:
    if isinstance(value, (dict, list, bytes)):
        raise DataError(str(raw.place), f"the label is {value!r:.40}", "A label is a text or a number", "")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).strip()
