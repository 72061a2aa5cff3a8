"""Frames and texts as numbers, the same while training, testing and in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import RunError
from ostinato.data.store import Store
from ostinato.data.units import Units
from ostinato.models.transcriber import Utterances


@dataclass(frozen=True)
class TranscriberSchema:
    """What a run learned of its data beside weights and vocabulary."""

    width: int
    """Numbers a frame has."""
    rate: int | None
    """Samples a second of sounds; None where features are read as they stand in files."""
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    """Scaling of frames, band by band; empty where they are read as they are."""
    centre: bool = False
    """Whether the mean over an utterance is taken away first."""


class Encoder:
    """Scales frames and numbers the symbols of texts."""

    def __init__(self, schema: TranscriberSchema, units: Units):
        self.schema, self.units = schema, units
        self._mean = np.array(schema.mean, np.float32)
        self._deviation = np.array(schema.deviation, np.float32)

    def frames(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return frames (T, D) as they are read."""
        frames = centred(frames) if self.schema.centre else frames
        return (frames - self._mean) / self._deviation if self._mean.size else frames

    def text(self, text: str) -> NDArray[np.int32]:
        """Return the symbols (U,) of a text."""
        return self.units.encode(text).astype(np.int32)

    def unknown(self, symbols: NDArray) -> int:
        """Return how many symbols were never learned."""
        return 0 if self.units.unknown is None else int((symbols == self.units.unknown).sum())


def centred(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return frames (T, D) without the mean of each band over time (cepstral mean normalisation, Atal, 1974)."""
    return frames - frames.mean(0, dtype=np.float64).astype(np.float32) if len(frames) else frames


def columns(width: int) -> dict[str, Any]:
    """Return the columns of a store of utterances; `text` is what is said, in UTF-8."""
    return {"frames": (np.float32, width), "target": np.int32, "text": np.uint8}


def collate(store: Store, batch: NDArray) -> Utterances:
    """Return a batch of a store."""
    numbers = [int(k) for k in batch]
    return together([store.read("frames", k) for k in numbers], [store.read("target", k) for k in numbers])


def together(frames: Sequence[NDArray], targets: Sequence[NDArray] | None = None) -> Utterances:
    """Return encoded utterances side by side, zero behind their ends."""
    targets = targets or [np.empty(0, np.int32)] * len(frames)
    return Utterances(
        _beside(frames, np.float32), torch.tensor([*map(len, frames)]),
        _beside(targets, np.int64), torch.tensor([*map(len, targets)]),
    )  # fmt: skip


def text_of(store: Store, index: int) -> str:
    """Return what is said in an item of a store."""
    return store.read("text", index).tobytes().decode()


def check_schema(schema: TranscriberSchema, path: str) -> TranscriberSchema:
    """Return the schema. Raises RunError where its parts do not fit one another."""
    if schema.width < 1 or (len(schema.mean), len(schema.deviation)) not in ((0, 0), (schema.width, schema.width)):
        raise RunError(path, "damaged: its parts do not fit one another", "", "Train anew with --overwrite")
    return schema


def _beside(rows: Sequence[NDArray], dtype: Any) -> torch.Tensor:
    values = np.zeros((max(map(len, rows)), len(rows), *rows[0].shape[1:]), dtype)
    for k, row in enumerate(rows):
        values[: len(row), k] = row
    return torch.from_numpy(values)
