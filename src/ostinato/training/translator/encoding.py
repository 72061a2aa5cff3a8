"""Pairs as numbers, the same while training, testing and in use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.pairs import Pair
from ostinato.data.store import Store
from ostinato.data.units import Side, Units
from ostinato.models.translator import NOTHING, Pairs

COLUMNS = {"source": np.int32, "target": np.int32, "text": np.uint8}
"""Columns of a store of pairs; `text` is the source and the references as JSON."""


@dataclass(frozen=True)
class TranslatorSchema:
    """What a run learned of its data beside weights and vocabularies."""

    kind: str
    """What its file was taken for, as `data.pairs` names it."""
    reverse: bool
    """Whether sources are read backwards."""
    copies: bool
    """Whether symbols of the source can be copied."""
    metrics: list[str]
    """Figures that what is written is judged by."""
    ratio: float = 3.0
    """Most symbols of a target for each of its source, the end counted there, of pairs that were learned from."""


class Encoder:
    """Turns sides of pairs into numbers."""

    def __init__(self, schema: TranslatorSchema, source: Units, target: Units):
        self.schema, self.source, self.target = schema, source, target
        self._written = _written_as(source, target) if schema.copies else None

    def read(self, side: Side) -> NDArray[np.int32]:
        """Return what the encoder reads (S,): the symbols of a source, then the boundary."""
        ids = self.source.encode(side).astype(np.int32)
        return np.append(ids[::-1] if self.schema.reverse else ids, np.int32(self.source.boundary))

    def write(self, side: Side) -> NDArray[np.int32]:
        """Return the symbols of a target (T,)."""
        return self.target.encode(side).astype(np.int32)

    def columns(self, pair: Pair) -> dict[str, NDArray]:
        """Return an item of a store."""
        text = json.dumps([self.source.text(pair.source), *map(self.target.text, pair.targets)])
        target = self.write(pair.targets[0])
        return {"source": self.read(pair.source), "target": target, "text": np.frombuffer(text.encode(), np.uint8)}

    def collate(self, store: Store, batch: NDArray) -> Pairs:
        """Return a batch of a store."""
        return self.together(
            [store.read("source", int(k)) for k in batch], [store.read("target", int(k)) for k in batch]
        )

    def together(self, sources: Sequence[NDArray], targets: Sequence[NDArray] | None = None) -> Pairs:
        """Return encoded pairs side by side; without targets they begin and end at once."""
        targets = targets or [np.empty(0, np.int32)] * len(sources)
        edge = np.array([self.target.boundary])
        inputs = _beside(sources, self.source.boundary)
        return Pairs(
            inputs,
            torch.tensor([len(source) for source in sources]),
            _beside([np.concatenate([edge, target]) for target in targets], self.target.boundary),
            _beside([np.concatenate([target, edge]) for target in targets], NOTHING),
            None if self._written is None else self._written[inputs],
        )

    @property
    def replaces(self) -> bool:
        """Whether a word that was never learned is written as the word of the source that is looked at."""
        return (self.source.kind, self.target.kind) == ("word", "word")

    def text(self, symbols: NDArray, weights: NDArray | None, side: Side) -> str:
        """Return symbols (T,) as text; an unknown word is the one it looked at most, by weights (T + 1, S)."""
        if weights is None or not self.replaces or self.target.unknown not in symbols:
            return self.target.decode(symbols)
        words = self.source.words(side)
        words = [*(reversed(words) if self.schema.reverse else words), ""]
        pieces = self.target.pieces(symbols)
        for place in (symbols == self.target.unknown).nonzero()[0]:
            pieces[place] = words[weights[place].argmax()]
        return "".join(pieces).strip()

    def unknown(self, source: NDArray) -> int:
        """Return how many symbols of an encoded source were never learned."""
        return 0 if self.source.unknown is None else int((source == self.source.unknown).sum())


def texts_of(store: Store, index: int) -> tuple[str, list[str]]:
    """Return the source of an item of a store, and its references."""
    source, *references = json.loads(store.read("text", index).tobytes())
    return source, references


def _beside(rows: Sequence[NDArray], fill: int) -> torch.Tensor:
    values = np.full((max(map(len, rows)), len(rows)), fill, np.int64)
    for k, row in enumerate(rows):
        values[: len(row), k] = row
    return torch.from_numpy(values)


def _written_as(source: Units, target: Units) -> torch.Tensor:
    """Return, for each symbol of sources, the number of the one of targets that is written alike; else the unknown."""
    numbers = {piece: number for number, piece in enumerate(target.pieces(range(target.size))) if piece}
    other = target.boundary if target.unknown is None else target.unknown
    return torch.tensor([numbers.get(piece, other) for piece in source.pieces(range(source.size))])
