"""A trained language model beside the sound: what it says of the symbols that a transcriber writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.data.units import Units
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.ctc import Prior
from ostinato.training.devices import device_of
from ostinato.training.trained import TrainedLanguageModel, open_language_model

UNSEEN = -1
NAMED = 5
"""Symbols without a number in a language model that are named; the others are counted."""


class Language:
    """A language model, asked in the symbols of a transcriber. Raises ConfigError where they share none.

    A symbol that the language model does not know is never written.
    """

    def __init__(self, trained: TrainedLanguageModel, units: Units, weight: float, name: str = "language model"):
        self.trained, self.weight = trained, weight
        self.units, self._table = units, table_of(units, trained.vocabulary, name)

    def lines(self) -> list[str]:
        """Return what is to be said of symbols that the language model does not know."""
        unseen = [number for number in (self._table == UNSEEN).nonzero()[:, 0].tolist() if number != self.units.unknown]
        if not unseen or not self.weight:
            return []
        named = ", ".join(f"'{piece}'" for piece in self.units.pieces(unseen[:NAMED]))
        named += f" and {len(unseen) - NAMED:,} more" if len(unseen) > NAMED else ""
        return [f"the language model does not know {named}: they are never written"]

    def prior(self, rows: int, device: torch.device) -> Prior:
        """Return the model as prefix search asks it, for so many rows.

        What it expects that no transcript has, such as the end of a line, keeps its share of the probability: it stands
        where the blank does, which prefix search does not read.
        """
        model, home, blank = self.trained.model, device_of(self.trained.model), self.units.boundary
        table = self._table.to(home)
        known, ids = table != UNSEEN, table.clamp(min=0)
        written = known & (torch.arange(len(table), device=home) != blank)

        def step(symbols: Tensor, state: Any) -> tuple[Tensor, Any]:
            scores, state = model.step(ids[symbols.to(home)], state)
            log_p = scores.float().log_softmax(-1)
            chosen = torch.where(known, log_p[:, ids], -torch.inf)
            chosen[:, blank] = log_p.index_fill(1, ids[written], -torch.inf).logsumexp(-1)
            return chosen.to(device), state

        start = torch.full((rows,), self.units.boundary, device=device)
        return Prior(step, model.initial_state(rows), start, self.weight)


def open_language(folder: str, units: Units, weight: float) -> Language:
    """Open a run of a language model. Raises RunError for what is none, ConfigError for one of other symbols."""
    return Language(open_language_model(Path(folder)), units, weight, folder)


def table_of(units: Units, vocabulary: Vocabulary, name: str) -> Tensor:
    """Return the number (V,) that each unit has in a vocabulary, UNSEEN where it has none.

    Raises ConfigError where they are of different kinds, or no unit is known.
    """
    possible = f"The transcriber writes units of kind {units.kind}"
    advice = f"Train one with --tokens {units.kind}"
    if vocabulary.kind != units.kind:
        raise ConfigError("--language-model", f"{name} is of kind {vocabulary.kind}", possible, advice)
    if units.kind in ("byte", "bpe"):
        if _pieces_of(vocabulary) != _pieces_of(units):
            raise ConfigError("--language-model", f"{name} has another vocabulary", possible, "Use char or word units")
        return torch.arange(units.size)
    numbers = [_number(piece, vocabulary) for piece in units.pieces(range(units.size))]
    numbers[units.boundary] = vocabulary.boundary
    if units.unknown is not None:
        numbers[units.unknown] = UNSEEN
    if all(n == UNSEEN for k, n in enumerate(numbers) if k != units.boundary):
        raise ConfigError("--language-model", f"{name} knows no symbol that is written", possible, "Train another")
    return torch.tensor(numbers)


def _pieces_of(units: Units | Vocabulary) -> Any:
    """Return which pieces there are, and how text is cut into them."""
    return json.loads(units.to_json())["model"]


def _number(piece: str, vocabulary: Vocabulary) -> int:
    ids = vocabulary.encode(piece, whatever=True).tolist() if piece else []
    known = len(ids) == 1 and ids[0] not in (vocabulary.unknown, vocabulary.boundary)
    return ids[0] if known and vocabulary.decode(ids) == piece else UNSEEN
