"""What is seen, asked and said as numbers, the same while training, testing and in use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.images import Captioned, ContextKind
from ostinato.data.store import Store
from ostinato.data.units import Units
from ostinato.models.captioner import NOTHING, Views

COLUMNS = {"target": np.int32, "question": np.int32, "picture": np.int64, "text": np.uint8}
"""Columns of a store of items; `picture` is the number of what is seen, `text` the question and references as JSON."""
PICTURES = "pictures"
"""The store of all that is seen, each once, beside those of the parts."""


@dataclass(frozen=True)
class CaptionerSchema:
    """What a run learned of its data beside weights and vocabularies."""

    kind: ContextKind
    """What is seen."""
    shape: list[int]
    """(S, S, 3) of an image, (R, E) of regions, (D,) of a vector."""
    has_questions: bool
    metrics: list[str]
    """Figures that what is written is judged by."""
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    """Scaling of vectors and regions, number by number; empty where they are seen as they are."""
    longest: int = 0
    """Symbols of the longest caption that was learned from; 0 where that is not known."""


class Encoder:
    """Turns items into numbers; `question` is None where nothing is asked."""

    def __init__(self, schema: CaptionerSchema, target: Units, question: Units | None):
        self.schema, self.target, self.question = schema, target, question
        self._mean, self._deviation = np.array(schema.mean), np.array(schema.deviation)

    def ask(self, question: str | None) -> NDArray[np.int32]:
        """Return the symbols of a question (S,), and the boundary; nothing where nothing is asked."""
        if self.question is None:
            return np.empty(0, np.int32)
        symbols = self.question.encode(question or "").astype(np.int32)
        return np.append(symbols, np.int32(self.question.boundary))

    def write(self, caption: str) -> NDArray[np.int32]:
        """Return the symbols of a caption (T,)."""
        return self.target.encode(caption).astype(np.int32)

    @property
    def limit(self) -> int | None:
        """Symbols that are written at most: more than twice as many as were ever learned are none of a caption."""
        return 2 * self.schema.longest + 5 if self.schema.longest else None

    def check(self, item: Captioned) -> Captioned:
        """Return the item.

        Raises DataError for one that has another shape than those learned from, numbers that are not finite once they
        are scaled, or no question.
        """
        shape, known = list(item.context.shape), self.schema.shape
        if shape != known:
            got = f"{_words(shape)} where {_words(known)} were learned from"
            raise DataError(str(item.place), got, "All that is seen has one shape", "Leave it out, or convert it")
        if not self.is_finite(item.context):
            possible = "A model reads finite numbers, about as large as those it learned from"
            raise DataError(str(item.place), "a number that is not finite", possible, "Correct it, or leave it out")
        if self.question is not None and not item.question:
            possible = "This model answers questions"
            raise DataError(str(item.place), "no question", possible, "Ask one: --question 'what is there?'")
        return item

    def together(
        self, seen: Sequence[NDArray], asked: Sequence[NDArray], targets: Sequence[NDArray] | None = None
    ) -> Views:
        """Return what is seen and asked, encoded, side by side; without targets they begin and end at once."""
        targets = targets or [np.empty(0, np.int32)] * len(seen)
        edge = np.array([self.target.boundary])
        questions = lengths = None
        if self.question is not None:
            questions = _beside(asked, self.question.boundary)
            lengths = torch.tensor([len(question) for question in asked])
        return Views(
            _beside([np.concatenate([edge, target]) for target in targets], self.target.boundary),
            _beside([np.concatenate([target, edge]) for target in targets], NOTHING),
            self._seen(seen), questions, lengths,
        )  # fmt: skip

    def is_finite(self, context: NDArray) -> bool:
        """Say whether what is seen is finite as the model reads it."""
        return self.schema.kind == "image" or bool(np.isfinite(self._scaled(context)).all())

    def _scaled(self, values: NDArray) -> NDArray[np.float32]:
        """Return vectors or regions as the model reads them; a number too large for that becomes infinite."""
        if not self._mean.size:
            return values
        with np.errstate(over="ignore"):
            return ((values - self._mean) / self._deviation).astype(np.float32)

    def _seen(self, seen: Sequence[NDArray]) -> torch.Tensor:
        """Return images (1, B, 3, S, S), regions (R, B, E) or vectors (1, B, D)."""
        values = np.stack(seen)
        if self.schema.kind == "image":
            return torch.from_numpy(values.transpose(0, 3, 1, 2)[None].copy())
        values = self._scaled(values)
        return torch.from_numpy(values[None] if self.schema.kind == "vector" else values.transpose(1, 0, 2).copy())


class Items:
    """The items of a part, with what is seen of them."""

    def __init__(self, folder: Any, part: str, encoder: Encoder, pictures: Store | None = None):
        self.store, self.encoder = Store(folder / part), encoder
        self.pictures = pictures or Store(folder / PICTURES)

    def __len__(self) -> int:
        return len(self.store)

    def lengths(self, name: str) -> NDArray[np.int64]:
        """Return how many symbols each item has in a column, the boundary of targets counted."""
        return self.store.lengths(name) + (name == "target")

    def collate(self, _: Any, batch: NDArray) -> Views:
        """Return a batch of these items."""
        asked, targets = ([self.store.read(name, int(k)) for k in batch] for name in ("question", "target"))
        return self.encoder.together([self.seen(int(k)) for k in batch], asked, targets)

    def seen(self, index: int) -> NDArray:
        """Return what is seen of an item, in its shape."""
        number = int(self.store.read("picture", index)[0])
        return self.pictures.read("seen", number).reshape(self.encoder.schema.shape)

    def texts(self, index: int) -> tuple[str | None, list[str]]:
        """Return the question of an item, and its references."""
        question, *references = json.loads(self.store.read("text", index).tobytes())
        return question, references


def text_of(question: str | None, references: Sequence[str]) -> NDArray[np.uint8]:
    """Return a question and the references as a store holds them."""
    return np.frombuffer(json.dumps([question, *references]).encode(), np.uint8)


def as_rows(seen: NDArray) -> NDArray:
    """Return what is seen as rows of a store: of an image its lines, of regions themselves, of a vector one row."""
    return seen.reshape(len(seen), -1) if seen.ndim > 1 else seen[None]


def _words(shape: Sequence[int]) -> str:
    if len(shape) == 3:
        return f"images of {shape[0]} x {shape[1]}"
    return f"vectors of {shape[0]}" if len(shape) == 1 else f"{shape[0]} regions of {shape[1]} numbers"


def _beside(rows: Sequence[NDArray], fill: int) -> torch.Tensor:
    values = np.full((max(map(len, rows)), len(rows)), fill, np.int64)
    for k, row in enumerate(rows):
        values[: len(row), k] = row
    return torch.from_numpy(values)
