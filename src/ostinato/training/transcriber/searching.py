"""What a transcriber writes: utterances side by side into texts, each with its score and when its symbols were said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.models.transcriber import Encoded, Transcriber
from ostinato.training.config.transcriber import Writing
from ostinato.training.devices import device_of, move
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.transcriber.encoding import Encoder, together
from ostinato.training.transcriber.language import Language, open_language

AT_ONCE = 256
"""Utterances that are read ahead and sorted by length; they are written in their own order."""
TOGETHER = 32
"""Utterances that are written in one batch."""
MOST_BEAM = 1000
"""Texts kept side by side at most: each is compared with each at every step."""
Item = TypeVar("Item")


class Hypothesis(NamedTuple):
    """A text that was written."""

    text: str
    score: float
    """What it is ranked by: log P, and what a language model and a bonus add."""
    symbols: list[int]
    times: list[int]
    """The step each symbol is written at."""


class Asked(NamedTuple):
    """How texts are looked for."""

    beam: int = 1
    n_best: int = 1
    language: Language | None = None
    bonus: float = 0.0

    def lines(self) -> list[str]:
        """Return what is to be said of it."""
        return [] if self.language is None else self.language.lines()


def asked_of(settings: Writing, encoder: Encoder, n_best: int = 1) -> Asked:
    """Return how texts are looked for by these settings. Raises ConfigError for those that cannot be."""
    check(settings)
    if not isinstance(n_best, int) or not 1 <= n_best <= max(1, settings.beam):
        got, possible = f"{n_best} of a beam of {settings.beam}", "From 1 to as many as are kept side by side"
        raise ConfigError("--n-best", got, possible, f"Use --beam {n_best}")
    folder, language = settings.language_model, None
    if folder is not None:
        language = open_language(folder, encoder.units, settings.language_weight)
    return Asked(settings.beam, n_best, language, settings.symbol_bonus)


def check(settings: Writing) -> None:
    """Refuse settings of the search that cannot be."""
    beam = settings.beam
    if isinstance(beam, bool) or not isinstance(beam, int) or not 1 <= beam <= MOST_BEAM:
        raise ConfigError("--beam", f"{beam!r} was given", f"It is a whole number from 1 to {MOST_BEAM:,}")
    for name in ("language_weight", "symbol_bonus"):
        value = getattr(settings, name)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"--{name.replace('_', '-')}", f"{value!r} was given", "It is a finite number")
    if settings.language_weight < 0:
        raise ConfigError("--language-weight", f"{settings.language_weight:g} was given", "It is 0 or more")


def check_weighed(settings: Writing) -> None:
    """Refuse a weight, which was given, of no language model."""
    if settings.language_model is None:
        got, possible = f"{settings.language_weight} was given", "It is the weight of a language model"
        raise ConfigError("--language-weight", got, possible, "Name one with --language-model, or leave it out")


def written(
    model: Transcriber, encoder: Encoder, items: Iterable[Item], frames: Callable[[Item], NDArray], asked: Asked
) -> Iterator[tuple[Item, list[Hypothesis]]]:
    """Yield each item with what is written of its encoded frames, the best first, in constant memory."""
    for group in groups(items, AT_ONCE):
        read, found = [frames(item) for item in group], {}
        for part in by_length(read, TOGETHER):
            found |= dict(zip(part, of_frames(model, encoder, [read[k] for k in part], asked), strict=True))
        yield from ((item, found[k]) for k, item in enumerate(group))


@torch.no_grad()
def of_frames(model: Transcriber, encoder: Encoder, frames: Sequence[NDArray], asked: Asked) -> list[list[Hypothesis]]:
    """Return what is written of each of some encoded utterances."""
    batch = move(together(frames), device_of(model))
    return of_encoded(model, encoder, model.encode(batch.inputs, batch.lengths), asked)


@torch.no_grad()
def of_encoded(model: Transcriber, encoder: Encoder, encoded: Encoded, asked: Asked) -> list[list[Hypothesis]]:
    """Return what is written of each row that the model has read."""
    rows, device = encoded.outputs.shape[1], encoded.outputs.device
    prior = None if asked.language is None else asked.language.prior(rows, device)
    found = model.head.write(
        encoded.outputs, encoded.lengths, width=asked.beam, n_best=asked.n_best, prior=prior, bonus=asked.bonus
    )
    tokens, times = found.tokens.tolist(), found.times.tolist()
    lengths, scores = found.lengths.tolist(), found.scores.tolist()
    return [
        [
            _hypothesis(encoder, tokens[row][k][: lengths[row][k]], scores[row][k], times[row][k][: lengths[row][k]])
            for k in range(len(scores[row]))
            if math.isfinite(scores[row][k])
        ]
        for row in range(rows)
    ]


def _hypothesis(encoder: Encoder, symbols: list[int], score: float, times: list[int]) -> Hypothesis:
    return Hypothesis(encoder.units.decode(symbols).strip(), score, symbols, times)
