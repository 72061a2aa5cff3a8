"""Words, frames and tags as numbers, the same while training, testing and in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import DataError, RunError
from ostinato.data.sentences import Lexicon, Scheme
from ostinato.data.sentences.lexicon import Encoded
from ostinato.data.sentences.schemes import read_as
from ostinato.data.store import Store
from ostinato.models.tagged import UNSEEN, Tagged, TaggedFrames, TaggedWords
from ostinato.training.config.tagger import TaggedData
from ostinato.training.tagger.source import Item


@dataclass(frozen=True)
class TaggerSchema:
    """What a run learned of its data beside weights and vocabulary."""

    inputs: Literal["words", "frames"]
    scheme: Scheme
    tags: list[str]
    """Those that are learned, by their numbers."""
    others: list[str] = field(default_factory=list)
    """Those that only other parts have; their numbers follow."""
    width: int = 0
    """Columns of frames."""
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    """Scaling of frames, column by column; empty where they are read as they are."""


class Encoder:
    """Turns what is read into arrays; `lexicon` is None for frames. Tags that were not learned get further numbers."""

    def __init__(self, schema: TaggerSchema, data: TaggedData, lexicon: Lexicon | None):
        self.schema, self.data, self.lexicon = schema, data, lexicon
        self.names = [*schema.tags, *schema.others]
        self._numbers = {tag: number for number, tag in enumerate(self.names)}
        self._mean = np.array(schema.mean, np.float32)
        self._deviation = np.array(schema.deviation, np.float32)

    def inputs(self, item: Item) -> dict[str, NDArray]:
        """Return the columns of a store that hold what is read. Raises DataError for what is of another kind."""
        if self.lexicon is not None:
            if isinstance(item.steps, np.ndarray):
                raise DataError(str(item.place), "frames of numbers", "This model reads words", "Give it words")
            return self.lexicon.encode(item.steps)._asdict()
        frames = item.steps
        if not isinstance(frames, np.ndarray) or frames.ndim != 2 or frames.shape[1] != self.schema.width:
            got = f"frames of {frames.shape[1:]}" if isinstance(frames, np.ndarray) else "words"
            raise DataError(str(item.place), got, f"This model reads frames of {self.schema.width} numbers", "")
        return {"frames": (frames - self._mean) / self._deviation if self._mean.size else frames}

    def tags(self, item: Item) -> NDArray[np.int32]:
        """Return the numbers (T,) of an item's tags. Raises DataError for tags that are not of the scheme."""
        assert item.tags is not None
        for tag in (tags := read_as(self.schema.scheme, item.tags, item.place)):
            if tag not in self._numbers:
                self._numbers[tag] = len(self.names)
                self.names.append(tag)
        return np.array([self._numbers[tag] for tag in tags], np.int32)


def columns(schema: TaggerSchema) -> dict[str, Any]:
    """Return the columns of a store of this kind."""
    read = (
        dict.fromkeys(Encoded._fields, np.int32) if schema.inputs == "words" else {"frames": (np.float32, schema.width)}
    )
    return {**read, "tags": np.int32}


def collate(store: Store, batch: NDArray) -> Tagged:
    """Return a batch of a store; its numbers of tags are those that were learned, or UNSEEN."""
    names = [name for name in store.columns if name != "tags"]
    items = [{name: store.read(name, int(k)) for name in names} for k in batch]
    return together(items, [store.read("tags", int(k)) for k in batch])


def together(items: Sequence[dict[str, NDArray]], tags: Sequence[NDArray] | None = None) -> Tagged:
    """Return encoded items side by side, zero behind their ends; a batch has one step at least."""
    by = "words" if "words" in items[0] else "frames"
    lengths = [len(item[by]) for item in items]
    targets = [np.full(n, UNSEEN) for n in lengths] if tags is None else tags
    read = _beside([item[by] for item in items], np.int64 if by == "words" else np.float32)
    last = torch.from_numpy(_beside(targets, np.int64, UNSEEN)), torch.tensor(lengths)
    if by == "frames":
        return TaggedFrames(torch.from_numpy(read), *last)
    return TaggedWords(torch.from_numpy(read), *_spelled(items, len(read)), *last)


def known(batch: Tagged, tags: int) -> Tagged:
    """Return the batch with UNSEEN for numbers of tags that are not among those learned."""
    return batch._replace(targets=torch.where(batch.targets < tags, batch.targets, UNSEEN))


def check_schema(schema: TaggerSchema, path: str) -> TaggerSchema:
    """Return the schema. Raises RunError where its parts do not fit one another."""
    scaled = (len(schema.mean), len(schema.deviation)) in ((0, 0), (schema.width, schema.width))
    if not schema.tags or (schema.inputs == "frames") != bool(schema.width) or not scaled:
        raise RunError(path, "damaged: its parts do not fit one another", "", "Train anew with --overwrite")
    return schema


def _beside(rows: Sequence[NDArray], dtype: Any, fill: int = 0) -> NDArray:
    values = np.full((max(1, *map(len, rows)), len(rows), *rows[0].shape[1:]), fill, dtype)
    for k, row in enumerate(rows):
        values[: len(row), k] = row
    return values


def _spelled(items: Sequence[dict[str, NDArray]], steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the characters (T, B, L) of each word, how many it has, and a number that words spelled alike share."""
    spelling, spans = np.zeros((steps, len(items)), np.int64), np.zeros((steps, len(items)), np.int64)
    numbers: dict[bytes, int] = {b"": 0}
    for k, item in enumerate(items):
        text, ends = item["letters"].astype(np.int32).tobytes(), 4 * np.cumsum(item["spans"])
        starts = ends - 4 * item["spans"]
        words = [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        spelling[: len(words), k] = [numbers.setdefault(word, len(numbers)) for word in words]
        spans[: len(words), k] = item["spans"]
    table = np.zeros((len(numbers), max(1, int(spans.max()))), np.int64)
    for word, number in numbers.items():
        table[number, : len(word) // 4] = np.frombuffer(word, np.int32)
    return torch.from_numpy(table[spelling]), torch.from_numpy(spans), torch.from_numpy(spelling)
