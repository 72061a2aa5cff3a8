"""The course of a run over labelled sequences: files into items, items into a model, the best model judged.

One course for classifiers, taggers and forecasters; what differs between them is a `Shape`.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.training import config
from ostinato.training.config import DEFAULT_EPOCHS, DEFAULT_SYMBOLS, above_zero, check_seed
from ostinato.training.config.supervised import SetLearning
from ostinato.training.course import read_written, run_to_end
from ostinato.training.devices import is_follower, kept_threads, make_accelerator
from ostinato.training.feedback import in_groups
from ostinato.training.gradient import check_followed
from ostinato.training.gradient.method import updates
from ostinato.training.loop import Loop
from ostinato.training.memory import explained
from ostinato.training.optimizers import default_learning_rate
from ostinato.training.penalties import in_words
from ostinato.training.progress import Display, Silent
from ostinato.training.resuming import refuse_other_settings
from ostinato.training.run_folder import RunFolder, write_tensors, write_text
from ostinato.training.stepping import make_stepping
from ostinato.training.supervised.shape import Parts, Shape
from ostinato.training.task import Outcome, Task, engines

VALIDATIONS = 50
"""Most validations of a run; fewer where it has fewer epochs."""
LEAST_UPDATES = 1000
"""Steps that a run takes at least, however small its set, unless told."""


def train(run: Any, shape: Shape, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    folder = RunFolder(run.folder, type(run)())
    config.refuse_two_ways(run)
    try:
        with torch.random.fork_rng(), kept_threads(), explained(run.training, run.model):
            if is_follower():
                return _follow(run, shape, folder)
            if run.resume and folder.is_run():
                return _go_on(run, shape, folder, display)
            return _begin(run, shape, folder, display)
    finally:
        display.close()


def _begin(run: Any, shape: Shape, folder: RunFolder, display: Display) -> Outcome:
    shape.check(run)
    _check(run.training)
    run = config.with_cell_text(run)
    accelerator = make_accelerator(run.training, folder.path)
    if run.resume:
        display.say(f"{folder.path}: no run is there yet, it begins now")
    with folder.beginning(run.overwrite) as staging:
        run = shape.prepare(run, staging, display)
        run, _ = _assemble(run, shape, staging)
        write_text(staging.config, config.to_yaml(run, __version__))
        folder.settle(staging, run.overwrite)
        return _fit(run, shape, folder, display, accelerator)


def _go_on(asked: Any, shape: Shape, folder: RunFolder, display: Display) -> Outcome:
    saved = folder.read_config()
    asked = config.with_cell_text(asked)
    if asked.training.epochs is not None and asked.training.steps == saved.training.steps:
        asked = replace(asked, training=replace(asked.training, steps=None))
    refuse_other_settings(asked, saved, folder)
    accelerator = make_accelerator(asked.training, folder.path)
    with folder.locked():
        run = replace(saved, training=asked.training, out=asked.out)
        return _fit(run, shape, folder, display, accelerator)


def _follow(asked: Any, shape: Shape, folder: RunFolder) -> Outcome:
    """Take part in the run that the first process writes, once its folder stands."""
    accelerator = make_accelerator(asked.training, folder.path)
    accelerator.wait_for_everyone()
    run = replace(read_written(folder), out=asked.out)
    return _fit(run, shape, folder, Silent(), accelerator)


def _fit(run: Any, shape: Shape, folder: RunFolder, display: Display, accelerator: Accelerator) -> Outcome:
    run, parts = _assemble(run, shape, folder)
    if parts.fit is not None:
        return _solve(run, shape, folder, parts, display)

    def write_card(figures: dict[str, Any]) -> None:
        write_text(folder.card, shape.card(run, folder, parts.model, figures))

    task = Task(
        parts.model, parts.batches, parts.validate, in_groups(run.training), write_card,
        score=parts.score,
        loss=parts.loss,
        in_words=parts.in_words,
        counts="sequences",
        readings_an_epoch=parts.batches.count,
    )  # fmt: skip
    loop = Loop(task, run.training, folder, display, accelerator)
    initial = parts.model.initial_state(run.training.batch_size)
    outcome = run_to_end(loop, run, initial, lambda step: _announce(run, folder, parts, display, step))
    if outcome.stopped is None and loop.processes.is_first:
        tested = shape.report(run, folder, display)
        return replace(outcome, tested=tested, reached=parts.in_words(tested))
    return outcome


def _solve(run: Any, shape: Shape, folder: RunFolder, parts: Parts, display: Display) -> Outcome:
    """Find the weights of a model that takes no steps, and judge it as any other."""
    assert parts.fit is not None
    began = time.monotonic()
    display.say("\n".join([*parts.said, f"run     {folder.path}"]))
    parts.fit()
    figures = parts.validate(parts.model.eval())
    seconds = time.monotonic() - began
    line = {"step": 0, **{f"valid_{name}": value for name, value in figures.items()}, "seconds": round(seconds, 3)}
    folder.cut_metrics(-1)
    folder.append_metrics(line)
    write_tensors(folder.model, parts.model.state_dict(), {"step": 0, **figures}, folder.kind)
    write_text(folder.card, shape.card(run, folder, parts.model, {"step": 0, "steps": 0, "read": 0, **figures}))
    display.say(f"fitted  in {seconds:,.1f} s: {parts.in_words(figures)}")
    tested = shape.report(run, folder, display)
    reached = parts.in_words(tested)
    return Outcome(folder.path, 0, 0, figures[parts.score], 0, seconds, metrics=figures, tested=tested, reached=reached)


def _check(training: SetLearning) -> None:
    for name in ("batch_size", "validate_every", "epochs", "steps"):
        above_zero(name, getattr(training, name))
    check_seed(training.seed)
    if training.feedback != "teacher":
        got = f"{training.feedback} was given"
        raise ConfigError("--feedback", got, "Only models that write symbols read their own", "Leave it out")


def _assemble(run: Any, shape: Shape, folder: RunFolder) -> tuple[Any, Parts]:
    """Make the model and the batches; return the run with every default filled in."""
    torch.manual_seed(run.training.seed)
    parts = shape.assemble(run, folder)
    training = _resolved(run.training, _updates(run.training, parts), int(parts.batches.lengths.sum()))
    if parts.fit is None:  # what the loop would refuse is refused here, before a run folder exists
        make_stepping(training, parts.model)
        check_followed(training, parts.model)
        parts.model.plans()
        initial = parts.model.initial_state(training.batch_size)
        in_groups(training).carried(initial, parts.model, lambda: parts.batches.segment(0, 1))
    return replace(run, training=training), parts


def _updates(training: SetLearning, parts: Parts) -> int:
    """Return the updates an epoch has: one a batch, or as many as a method cuts a batch into."""
    way = in_groups(training)
    return sum(updates(way, steps) for steps in parts.batches.longest)


def _resolved(training: SetLearning, updates: int, symbols: int) -> SetLearning:
    """Fill in what depends on how much there is to read: length of the run, validations, warm-up, learning rate."""
    epochs = training.epochs
    if epochs is None and training.steps is None:
        epochs = usual_epochs(updates, symbols)
    limits = [math.ceil(epochs * updates)] if epochs is not None else []
    limits += [training.steps] if training.steps is not None else []
    steps = min(limits)
    return replace(
        training,
        steps=steps,
        epochs=None,
        validate_every=training.validate_every or min(steps, max(updates, math.ceil(steps / VALIDATIONS))),
        warmup=min(100, steps // 10) if training.warmup is None else training.warmup,
        learning_rate=training.learning_rate
        if training.learning_rate is not None
        else default_learning_rate(training.optimizer),
    )


def usual_epochs(updates: int, symbols: int) -> float:
    """Return how often a set is read unless told: ten times, more often a small one, less often a large one.

    >>> usual_epochs(updates=500, symbols=300_000), usual_epochs(updates=4, symbols=2_000)
    (10.0, 250.0)
    """
    often = max(DEFAULT_EPOCHS, LEAST_UPDATES / updates)
    return float(max(1.0, min(often, DEFAULT_SYMBOLS / max(1, symbols))))


def _announce(run: Any, folder: RunFolder, parts: Parts, display: Display, step: int) -> None:
    training, batches = run.training, parts.batches
    assert training.steps is not None
    parameters = sum(p.numel() for p in parts.model.parameters() if p.requires_grad)
    epochs = training.steps / _updates(training, parts)
    display.say(
        "\n".join(
            [
                *parts.said,
                f"network {parameters:,} parameters, engine {engines(parts.model)}",
                f"length  {training.steps:,} steps of {training.batch_size} sequences, {epochs:.4g} epochs; "
                f"{batches.padding:.1%} of the steps in a batch are padding",
                *in_words(training),
                f"run     {folder.path}" + (f", from step {step:,} on" if step else ""),
            ]
        )
    )
