"""A trained language model, opened from its run folder: it writes text and scores files."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.data.lanes import Lanes, Segment
from ostinato.data.readers import has_documents
from ostinato.data.streams import TokenStream, first_symbols, write_whole
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.sampling import Sampling, generate, until_stop
from ostinato.models.baselines.kneser_ney import KneserNey
from ostinato.models.baselines.window import WindowModel
from ostinato.models.language_model import LanguageModel
from ostinato.training.config import Model, Run, check_seed
from ostinato.training.devices import device_of, move
from ostinato.training.run_folder import RunFolder, best_tensors, load_weights

LANE_SYMBOLS = 50_000  # a lane begins without memory; one in 50,000 symbols does not show in a mean
SCORES_AT_ONCE = 1 << 24  # numbers a forward pass may hold: 64 MB
WINDOW_SETTINGS = ("embedding_size", "embedding_dropout", "hidden_size", "num_layers", "dropout", "tied")


class TrainedLanguageModel:
    """A run, opened for use. `model` and `vocabulary` are there for what this class does not do."""

    def __init__(self, run: Run, model: Any, vocabulary: Vocabulary):
        self.run, self.model, self.vocabulary = run, model, vocabulary

    def write(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        sampling: Sampling | None = None,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """Yield the text that follows `prompt`, piece by piece as it is drawn, at most `length` symbols.

        `seed` makes it repeatable. Text ends early at one of the strings in `stop`, or where the model ends
        the document. Raises DataError for characters the vocabulary lacks.
        """
        text = write(
            self.model,
            self.vocabulary,
            prompt,
            length=length,
            sampling=sampling,
            seed=seed,
            ends=has_documents(self.run.data.file),
        )
        return until_stop(text, stop)

    def evaluate(self, file: Path | str, *, column: str | None = None, encoding: str | None = None) -> dict[str, float]:
        """Score a file: `nats` a symbol, `bits_per_character`, `perplexity`, number of `symbols` and `lanes`.

        Every symbol is counted. A long text is read in several lanes, each at least 50,000 symbols, with the
        state carried through each. `column` and `encoding` are the run's own unless given. Raises DataError as
        training does.
        """
        with tempfile.TemporaryDirectory() as folder:
            form = self._form(Path(file), column, encoding)
            stream = write_whole(Path(folder), Path(file), self.vocabulary, **form)
            lanes = max(1, min(32, len(stream) // LANE_SYMBOLS))
            return score(self.model, stream, lanes) | {"lanes": lanes}

    def read(self, file: Path, most: int) -> np.ndarray:
        """Return the first symbols (N,) of a file, at most `most`, as `evaluate` reads it."""
        return first_symbols(file, self.vocabulary, most, **self._form(file))

    def _form(self, file: Path, column: str | None = None, encoding: str | None = None) -> dict[str, Any]:
        """Return how a file is read: as the run's own was, unless it is said."""
        data = self.run.data
        column = column or (data.column if has_documents(file) else None)
        return {"column": column, "encoding": encoding or data.encoding}


def open_language_model(folder: Path | str) -> TrainedLanguageModel:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder))
    run = parts.read_config()
    vocabulary = Vocabulary.load(parts.tokenizer)
    model = build_model(vocabulary.size, run.model)
    tensors = best_tensors(parts)
    if isinstance(model, KneserNey):
        model.make_room(tensors)
    load_weights(parts.model, model, tensors)
    return TrainedLanguageModel(run, model.eval(), vocabulary)


def build_model(vocabulary_size: int, settings: Model) -> Any:
    """Return a new model of these settings: a `LanguageModel`, or the baseline that stands in its place."""
    own = asdict(settings)
    baseline, order, window = own.pop("baseline"), own.pop("order"), own.pop("window")
    if baseline == "kneser-ney":
        return KneserNey(vocabulary_size, order)
    if baseline == "window-mlp":
        return WindowModel(vocabulary_size, window, **{name: own[name] for name in WINDOW_SETTINGS})
    return LanguageModel(vocabulary_size, **own)


def write(
    model: Any,
    vocabulary: Vocabulary,
    prompt: str,
    *,
    length: int,
    sampling: Sampling | None = None,
    seed: int | None = None,
    ends: bool = False,
) -> Iterator[str]:
    """Yield text drawn from `model`, which is in evaluation mode; see `TrainedLanguageModel.write`.

    `ends` lets the model end the document: for plain text it never saw an end, and would draw one by chance.
    The symbol for unknown words is never drawn.
    """
    device = device_of(model)
    generator = torch.Generator(device)
    check_seed(seed)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    never = [] if ends else [vocabulary.boundary]
    never += [] if vocabulary.unknown is None else [vocabulary.unknown]
    ids = torch.tensor([vocabulary.boundary, *vocabulary.encode(prompt).tolist()], device=device)
    drawn = generate(
        model.step,
        model.initial_state(1),
        ids,
        sampling=sampling or Sampling(),
        length=length,
        generator=generator,
        stop_ids=(vocabulary.boundary,),
        never_ids=never,
    )
    return _decoded(vocabulary, drawn)


def score(model: Any, stream: TokenStream, lanes: int, limit: int | None = None) -> dict[str, float]:
    """Score a stream read in `lanes` rows, the state carried; `limit` reads about so many symbols only."""
    device = device_of(model)
    total, count = torch.zeros((), dtype=torch.float64, device=device), 0
    for nats, symbols in _segment_losses(model, stream, lanes, limit, device):
        total += nats
        count += symbols
    nats = float(total) / count
    symbols_per_character = (len(stream) - 1) / max(1, stream.characters)
    return {
        "nats": nats,
        "bits_per_character": nats * symbols_per_character / math.log(2),
        "perplexity": math.exp(min(nats, 700)),
        "symbols": count,
    }


@torch.no_grad()
def _segment_losses(model, stream, lanes: int, limit: int | None, device) -> Iterator[tuple[torch.Tensor, int]]:
    rows = Lanes(stream, lanes)
    length = rows.length if limit is None else min(rows.length, -(-limit // lanes))
    at_once = max(1, min(256, SCORES_AT_ONCE // (lanes * model.vocabulary_size)))
    state = None
    for position in range(0, length, at_once):
        segment = rows.segment(position, min(at_once, length - position))
        nats, count, state = model.loss(move(segment, device), state)
        yield nats, count
    rest = len(stream) - 1 - rows.length * lanes
    if rest and length == rows.length:
        nats, count, _ = model.loss(move(_rest(stream, rest), device))
        yield nats, count


def _rest(stream: TokenStream, steps: int) -> Segment:
    """Return the last few symbols, which do not fill a step of all lanes, as one short lane."""
    tokens = torch.from_numpy(stream.tokens[-steps - 1 :].astype("int64"))[:, None]
    reset = tokens[:-1] == stream.boundary
    return Segment(tokens[:-1], tokens[1:], reset if bool(reset.any()) else None)


def _decoded(vocabulary: Vocabulary, drawn: Iterator[torch.Tensor]) -> Iterator[str]:
    decoder = vocabulary.decoder()
    for symbol in drawn:
        if piece := decoder.push(int(symbol)):
            yield piece
    if piece := decoder.flush():
        yield piece
