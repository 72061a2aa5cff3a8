"""Trains a language model from a text: vocabulary, tokens, model and loop, in a run folder.

This is the one call behind `ostinato train language-model`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from ostinato._errors import ConfigError, RunError
from ostinato._version import __version__
from ostinato.data.lanes import Lanes
from ostinato.data.streams import TokenStream
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.sampling import Sampling
from ostinato.training import config
from ostinato.training.card import card
from ostinato.training.config import (
    DEFAULT_EPOCHS,
    DEFAULT_SYMBOLS,
    NOT_GIVEN,
    Model,
    Run,
    Training,
    above_zero,
    check_seed,
)
from ostinato.training.counting import count, refuse_unfit
from ostinato.training.course import read_written, run_to_end
from ostinato.training.devices import is_follower, kept_threads, make_accelerator
from ostinato.training.feedback import described, in_groups
from ostinato.training.loop import Loop
from ostinato.training.memory import explained
from ostinato.training.optimizers import default_learning_rate
from ostinato.training.penalties import in_words
from ostinato.training.progress import Display, Silent, make_display
from ostinato.training.resuming import refuse_other_settings
from ostinato.training.run_folder import RunFolder, saved_settings, write_text
from ostinato.training.stepping import make_stepping
from ostinato.training.task import Outcome, Task, engines
from ostinato.training.texts import check_text, validation_lanes, write_text_of
from ostinato.training.trained import build_model, score, write

VALIDATIONS = 20
LONGEST_PERIOD = 2000
SAMPLE_TEMPERATURE = 0.8


def train_language_model(
    file: str | Path | None = None,
    *,
    out: str | Path | None = None,
    recipe: str | None = None,
    config_file: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Outcome:
    """Train a language model on `file` and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `cell="gru"`, `epochs=3`, … Raises ConfigError,
    DataError or RunError before anything is lost.
    """
    base = saved_settings(Path(out)) if resume and out is not None else None
    run = config.starting_point(recipe, Path(config_file) if config_file else None, base)
    if file is not None:
        settings = {"file": str(file), **settings}
    run = config.override(run, "train_language_model", settings)
    run = replace(run, out=Path(out) if out is not None else None, resume=resume, overwrite=overwrite)
    return train(run, make_display() if progress else Silent())


def train(run: Run, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    folder = RunFolder(run.folder)
    config.refuse_two_ways(run)
    refuse_unfit(run)
    if run.model.baseline == "kneser-ney":
        return count(run, folder, display)
    try:
        with torch.random.fork_rng(), kept_threads(), explained(run.training, run.model):
            if is_follower():
                return _follow(run, folder)
            if run.resume and folder.is_run():
                return _go_on(run, folder, display)
            return _begin(run, folder, display)
    finally:
        display.close()


def _begin(run: Run, folder: RunFolder, display: Display) -> Outcome:
    check_text(run.data.file)
    run = config.with_cell_text(run)
    accelerator = make_accelerator(run.training, folder.path)
    if run.resume:
        display.say(f"{folder.path}: no run is there yet, it begins now")
    with folder.beginning(run.overwrite) as staging:
        vocabulary = write_text_of(run.data, staging, display)
        run, _ = _assemble(run, staging, vocabulary)
        write_text(staging.config, config.to_yaml(run, __version__))
        folder.settle(staging, run.overwrite)
        return _fit(run, folder, vocabulary, display, accelerator)


def _go_on(asked: Run, folder: RunFolder, display: Display) -> Outcome:
    saved = folder.read_config()
    run = _agreed(config.with_cell_text(asked), saved, folder)
    accelerator = make_accelerator(run.training, folder.path)
    with folder.locked():
        vocabulary = Vocabulary.load(folder.tokenizer)
        return _fit(run, folder, vocabulary, display, accelerator)


def _follow(asked: Run, folder: RunFolder) -> Outcome:
    """Take part in the run that the first process writes, once its folder stands."""
    accelerator = make_accelerator(asked.training, folder.path)
    accelerator.wait_for_everyone()
    run, vocabulary = replace(read_written(folder), out=asked.out), Vocabulary.load(folder.tokenizer)
    return _fit(run, folder, vocabulary, Silent(), accelerator)


def _fit(run: Run, folder: RunFolder, vocabulary: Vocabulary, display: Display, accelerator: Accelerator) -> Outcome:
    run, parts = _assemble(run, folder, vocabulary)
    task = _task(run, folder, vocabulary, parts)
    loop = Loop(task, run.training, folder, display, accelerator)
    initial = task.model.initial_state(run.training.batch_size)
    return run_to_end(loop, run, initial, lambda step: _announce(run, folder, vocabulary, parts, display, step))


@dataclass(frozen=True)
class _Parts:
    """What a run is made of, once its sizes are known to fit."""

    model: Any
    lanes: Lanes
    train: TokenStream
    valid: TokenStream
    updates: int
    validation_lanes: int
    validation_limit: int


def _assemble(run: Run, folder: RunFolder, vocabulary: Vocabulary) -> tuple[Run, _Parts]:
    """Make the model and the lanes from the run's seed; return the run with every default filled in."""
    training = run.training
    for name in ("batch_size", "validate_every"):
        above_zero(name, getattr(training, name))
    if training.sample_length < 0:
        raise ConfigError("--sample-length", f"sample_length is {training.sample_length}", "It is 0 or more")
    check_seed(training.seed)
    train, valid = (TokenStream.open(folder.tokens, part) for part in ("train", "valid"))
    lanes = Lanes(train, training.batch_size)
    updates = in_groups(training).updates(lanes.length)
    training = _resolved(training, updates, lanes.length * training.batch_size)
    torch.manual_seed(training.seed)
    model = build_model(vocabulary.size, run.model)
    # what the loop would refuse is refused here, before a run folder exists
    make_stepping(training, model)
    model.plans()
    in_groups(training).carried(model.initial_state(training.batch_size), model, lambda: lanes.segment(0, 1))
    every = (training.validate_every or 1) * lanes.length * training.batch_size // updates
    parts = _Parts(
        model, lanes, train, valid, updates,
        validation_lanes=validation_lanes(valid, training.batch_size),
        validation_limit=max(250_000, every // 8),
    )  # fmt: skip
    return replace(run, training=training), parts


def _resolved(training: Training, updates: int, symbols: int) -> Training:
    """Fill in what depends on the text's size: length of the run, validations, warm-up, learning rate."""
    above_zero("epochs", training.epochs)
    above_zero("steps", training.steps)
    epochs = training.epochs
    if epochs is None and training.steps is None:
        epochs = min(DEFAULT_EPOCHS, DEFAULT_SYMBOLS / symbols)
    limits = [math.ceil(epochs * updates)] if epochs is not None else []
    limits += [training.steps] if training.steps is not None else []
    steps = min(limits)
    return replace(
        training,
        steps=steps,
        epochs=None,
        validate_every=training.validate_every or validation_period(steps),
        warmup=min(100, steps // 10) if training.warmup is None else training.warmup,
        learning_rate=training.learning_rate
        if training.learning_rate is not None
        else default_learning_rate(training.optimizer),
    )


def validation_period(steps: int) -> int:
    """Return the steps between validations: about twenty in a run, but a model and a sample every few minutes."""
    return min(max(math.ceil(steps / VALIDATIONS), min(steps, 50)), LONGEST_PERIOD)


def _task(run: Run, folder: RunFolder, vocabulary: Vocabulary, parts: _Parts) -> Task:
    def validate(model: Any) -> dict[str, float]:
        return score(model, parts.valid, parts.validation_lanes, parts.validation_limit)

    def sample(model: Any, step: int) -> str:
        return sample_text(model, vocabulary, run.training.sample_length, seed=run.training.seed + step)

    def write_card(figures: dict[str, Any]) -> None:
        write_text(folder.card, card(run, folder.path, vocabulary, parts.model, figures))

    symbols_per_character = (len(parts.train) - 1) / max(1, parts.train.characters)
    return Task(
        parts.model, parts.lanes, validate, in_groups(run.training), write_card,
        sample=sample if run.training.sample_length else None,
        characters_per_symbol=1 / symbols_per_character,
    )  # fmt: skip


def sample_text(model: Any, vocabulary: Vocabulary, length: int, seed: int) -> str:
    """Return a text of `length` symbols drawn from the model, a little bolder than by chance alone."""
    sampling = Sampling(temperature=SAMPLE_TEMPERATURE)
    return "".join(write(model, vocabulary, "", length=length, sampling=sampling, seed=seed))


def _announce(run: Run, folder: RunFolder, vocabulary: Vocabulary, parts: _Parts, display: Display, step: int) -> None:
    training, symbols = run.training, parts.lanes.length * run.training.batch_size
    assert training.steps is not None
    epochs = training.steps / parts.updates
    parameters = sum(p.numel() for p in parts.model.parameters())
    checked = min(len(parts.valid) - 1, parts.validation_limit)
    display.say(
        "\n".join(
            [
                f"text    {run.data.file.name}: {len(parts.train):,} symbols to learn from, "
                f"{checked:,} of {len(parts.valid):,} to validate; "
                f"vocabulary of {vocabulary.size:,} ({vocabulary.kind})"
                + (f"; {skipped:,} rows without text left out" if (skipped := parts.train.skipped_rows) else ""),
                f"model   {_named(run.model)}, {parameters:,} parameters, engine {engines(parts.model)}",
                *described(training),
                f"length  {training.steps:,} steps, {epochs:.2f} epochs, {round(symbols * epochs):,} symbols",
                *in_words(training),
                f"run     {folder.path}" + (f", from step {step:,} on" if step else ""),
            ]
        )
    )


def _named(model: Model) -> str:
    layers = f"{model.num_layers} x {model.hidden_size}"
    if model.baseline == "window-mlp":
        return f"baseline window-mlp, {layers} over {model.window} symbols"
    return f"{layers} {'cell of its own equations' if '=' in model.cell else model.cell}"


def _agreed(asked: Run, saved: Run, folder: RunFolder) -> Run:
    """Return the settings to go on with. Raises RunError for one that contradicts the run's own."""
    if asked.data.file == NOT_GIVEN:
        asked = replace(asked, data=replace(asked.data, file=saved.data.file))
    refuse_other_settings(asked, saved, folder)
    _refuse_changed_text(asked.data.file, folder)
    training = asked.training
    if training.epochs is not None and training.steps == saved.training.steps:
        training = replace(training, steps=None)
    data = replace(asked.data, file=saved.data.file)
    return replace(saved, data=data, training=training, out=asked.out)


def _refuse_changed_text(file: Path, folder: RunFolder) -> None:
    """Refuse a text that is there but is no longer the one the run began with."""
    description = folder.tokens / "stream.json"
    if not (file.is_file() and description.is_file()):
        return
    began = json.loads(description.read_text(encoding="utf-8"))["source"]["bytes"]
    if file.stat().st_size != began:
        raise RunError(
            str(file),
            f"the text has {file.stat().st_size:,} bytes, the run began with {began:,}",
            "A run goes on with the text it began with",
            f"Begin anew with --overwrite, or move the text: the run keeps its own copy in {folder.tokens}",
        )
