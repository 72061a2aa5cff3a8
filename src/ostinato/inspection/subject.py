"""What is inspected: a trained model, the same as it was before learning, and rows of data that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data.lanes import Segment
from ostinato.data.streams import TokenStream
from ostinato.diagnostics.tracks import Annotation, as_track
from ostinato.inspection.driven import Driven
from ostinato.layers.recurrent import Recurrent
from ostinato.training.config import ReservoirRun, TaskRun
from ostinato.training.finite import is_finite
from ostinato.training.gradient.rows import rows_of
from ostinato.training.opening import kind_of, load, written_kind
from ostinato.training.reservoir import build_model as build_reservoir
from ostinato.training.reservoir import other_series
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.sequence_task import OTHER_SEED
from ostinato.training.sequence_task import build_model as build_task_model
from ostinato.training.trained import TrainedLanguageModel, build_model

ROWS, STEPS = 32, 256
"""Windows that are read, and how long they are, unless it is said."""
FEWEST = 8
"""Steps of a window at least."""
LANGUAGE_MODEL = "language-model"
DRAWN = {"task": "Sequences", "reservoir": "Series"}
"""Kinds of runs that read no file, and what they read."""
SYMBOLS = 100_000
"""Of a text, at most so many are read."""


@dataclass(frozen=True)
class Subject:
    """A model and what it reads here."""

    name: str
    kind: str
    model: nn.Module
    fresh: nn.Module | None
    """The same at the start of its training; None of what is not trained."""
    batch: Any
    """What `model.loss` takes: rows side by side."""
    read: str
    """What these rows are, in words."""
    trained: Any
    """As `ostinato.load` opens it."""
    more: Callable[[int], Any]
    """Returns a batch of so many rows of the same data, or of as many as there are."""
    symbols: np.ndarray | None = None
    """Of a language model, the symbols that were read, in one row."""
    annotations: Mapping[str, Annotation] = field(default_factory=dict)
    """What the user knows of each of these symbols, by name."""

    @property
    def rows(self) -> str:
        """What a row of the batch is, in words."""
        return "sequences" if self.symbols is None else "windows"

    def few(self, rows: int, steps: int | None = None) -> Any:
        """Return the first rows of the batch, of windows their first steps: what takes long is measured on less.

        Sequences keep all their steps, the last of which may be the only ones that bring a loss.
        """
        part = rows_of(self.batch, 0, rows)
        return part if self.symbols is None or steps is None else part.steps(0, steps)


def open_subject(
    run: Path,
    *,
    text: str | None = None,
    data: Path | None = None,
    annotations: Mapping[str, Annotation] | None = None,
    steps: int = STEPS,
    rows: int = ROWS,
) -> Subject:
    """Open a run and what it is to read: `text`, a file, or what the run kept to validate.

    annotations  of a language model, what is known of each symbol that is read: see `diagnostics.units`.

    Raises RunError for a run that cannot be opened or whose weights are not finite, DataError for a text without known
    symbols or shorter than a window, ConfigError for a kind of run that cannot be inspected, for sizes of windows that
    cannot be, and for annotations of another count than there are symbols.
    """
    for name, value, least in (("steps", steps, FEWEST), ("rows", rows, 1)):
        if value < least:
            raise ConfigError(name, f"{value}", f"Possible: {least} or more")
    if text is not None and data is not None:
        raise ConfigError("text", "`data` beside it", "One of them is read", "Leave one out")
    subject = _opened(run, text, data, steps, rows)
    if not any(isinstance(module, Recurrent) for module in subject.model.modules()):
        raise ConfigError(str(run), "a model without recurrence", "What is inspected has recurrent layers")
    _refuse_bad_weights(run, subject.model)
    return subject if not annotations else _annotated(subject, annotations)


def _refuse_bad_weights(run: Path, model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if not is_finite(parameter):
            possible = "Measured are models whose weights are finite numbers"
            raise RunError(str(run), f"{name} is not finite", possible, "Train anew, with a smaller learning rate")


def _annotated(subject: Subject, annotations: Mapping[str, Annotation]) -> Subject:
    if subject.symbols is None:
        got, possible = f"of a {subject.kind}", "Annotations stand beside symbols of a text, as language models read"
        raise ConfigError("annotation", got, possible, "Leave it out")
    for name, values in annotations.items():
        if not callable(values):
            as_track(name, values, len(subject.symbols))
    return replace(subject, annotations=annotations)


def _opened(run: Path, text: str | None, data: Path | None, steps: int, rows: int) -> Subject:
    kind = written_kind(run)
    is_drawn = kind in tuple(DRAWN)  # which may be no name
    if kind != LANGUAGE_MODEL and text is not None:
        possible = "A text alone is read by language models"
        advice = "Leave it out" if is_drawn else "Name a file such as it learned from as `data`"
        raise ConfigError("text", f"of a run of kind {kind!r}", possible, advice)
    if is_drawn and data is not None:
        raise ConfigError("data", f"of a run of kind {kind!r}", f"{DRAWN[kind]} are drawn for it", "Leave it out")
    if kind == "task":
        return _of_task(run, rows)
    if kind == "reservoir":
        return _of_reservoir(run, steps, rows)
    if kind_of(run) != LANGUAGE_MODEL:
        return _of_sequences(run, kind, data, steps, rows)
    trained = load(run)
    symbols, read = _symbols(run, trained, text, data)
    more = partial(windows, symbols, steps, read=read, boundary=trained.vocabulary.boundary)
    batch = more(rows)
    shape = f"{batch.inputs.shape[1]} windows of {len(batch.inputs)} symbols"
    return Subject(run.name, kind, trained.model, _fresh(trained), batch, f"{shape} of {read}", trained, more, symbols)


def _of_task(run: Path, rows: int) -> Subject:
    """Open a run of `train task`, and sequences that it validates with."""
    folder = RunFolder(run, TaskRun())
    settings = folder.read_config()
    with torch.random.fork_rng():
        fresh, model = build_task_model(settings).eval(), build_task_model(settings).eval()
    load_best(folder, model)

    def more(rows: int) -> Any:
        return model.task.tested().draw(rows, torch.Generator().manual_seed(settings.training.seed + OTHER_SEED))

    batch = more(rows)
    read = f"{rows} sequences of {len(batch.inputs)} steps of the task {settings.task.task}"
    return Subject(run.name, "model of a task", model, fresh, batch, read, None, more)


def _of_reservoir(run: Path, steps: int, rows: int) -> Subject:
    """Open a run of `train reservoir`, and series that its readout was not fitted on."""
    folder = RunFolder(run, ReservoirRun())
    settings = folder.read_config()
    with torch.random.fork_rng():
        model = build_reservoir(settings)
    load_best(folder, model)
    more = partial(other_series, settings, model, steps)
    read = f"{rows} series of {steps} steps, {settings.series.series}, that its readout was not fitted on"
    return Subject(run.name, "reservoir", Driven(model).eval(), None, more(rows), read, None, more)


def _of_sequences(run: Path, kind: str, data: Path | None, steps: int, rows: int) -> Subject:
    """Open a run that learned from sequences with answers, and some of a file, or of those it kept to validate."""
    trained = load(run)
    folder = RunFolder(run, type(trained.run)())
    shape = getattr(import_module(f"ostinato.training.{kind}.shape"), f"{kind.capitalize()}Shape")()
    with torch.random.fork_rng():
        torch.manual_seed(trained.run.training.seed)
        parts = shape.assemble(trained.run, folder)
    words = []

    def more(rows: int) -> Any:
        def choose(lengths: NDArray) -> NDArray:
            chosen = spread(lengths, steps, rows)
            longest = lengths[chosen].max()
            words.append(f"{len(chosen)} of the {len(lengths):,} sequences {{}}, of up to {longest:,} steps")
            return chosen

        if data is not None:
            return trained.sample(str(data), choose)
        items, collate = parts.kept
        return collate(items, choose(items.lengths(parts.batches.by)))

    batch, whence = more(rows), "it is validated with" if data is None else f"read of {data.name}"
    return Subject(run.name, kind, trained.model, parts.model.eval(), batch, words[0].format(whence), trained, more)


def spread(lengths: NDArray, steps: int, rows: int) -> NDArray:
    """Return the numbers of `rows` items, evenly spread over those of at most `steps` steps; else the shortest."""
    short = np.flatnonzero(lengths <= steps)
    short = short if len(short) else np.sort(np.argsort(lengths, kind="stable")[:rows])
    return short[np.unique(np.linspace(0, len(short) - 1, min(rows, len(short))).astype(int))]


def windows(symbols: np.ndarray, steps: int, rows: int, read: str, boundary: int) -> Segment:
    """Return windows of a text, evenly spread over it; shorter ones where the text is short. Raises DataError.

    States begin anew at the symbol that starts a document, as in training.
    """
    steps = min(steps, len(symbols) - 1)
    if steps < FEWEST:
        got = f"{len(symbols)} symbols"
        raise DataError(read, got, f"A window has {FEWEST} symbols and one to predict", "Give a longer text")
    last = len(symbols) - 1 - steps
    starts = np.unique(np.linspace(0, last, min(rows, last + 1)).astype(int))
    cut = torch.from_numpy(np.stack([symbols[k : k + steps + 1] for k in starts], 1).astype(np.int64))
    reset = cut[:-1] == boundary
    reset[0] = False  # a window begins without a state
    return Segment(cut[:-1], cut[1:], reset if bool(reset.any()) else None)


def _symbols(run: Path, trained: TrainedLanguageModel, text: str | None, data: Path | None) -> tuple[np.ndarray, str]:
    if text is not None:
        return trained.vocabulary.encode(text, "the text")[:SYMBOLS], "the text"
    if data is not None:
        return trained.read(data, SYMBOLS), data.name
    kept = RunFolder(run).tokens
    if not kept.is_dir():
        got, possible = "the text that it was validated with is gone", "Another can be read"
        raise ConfigError(str(run), got, possible, "Give it as `text`, or a file as `data`")
    return np.asarray(TokenStream.open(kept, "valid").tokens[:SYMBOLS]), "what was kept to validate"


def _fresh(trained: TrainedLanguageModel) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(trained.run.training.seed)
        return build_model(trained.vocabulary.size, trained.run.model).eval()
