"""Trains a model on a synthetic task: sequences are drawn anew at each step, until the task is solved.

This is the one call behind `ostinato train task`.
"""

from __future__ import annotations

import platform
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.data.tasks import TASKS, SequenceTask
from ostinato.models.sequence_task import SequenceTaskModel, score
from ostinato.training import config
from ostinato.training.config import TaskRun, above_zero, check_seed
from ostinato.training.course import read_written, run_to_end
from ostinato.training.devices import is_follower, kept_threads, make_accelerator, move
from ostinato.training.drawn import lanes_of
from ostinato.training.feedback import described, in_groups
from ostinato.training.language_model import validation_period
from ostinato.training.loop import Loop
from ostinato.training.memory import explained
from ostinato.training.optimizers import default_learning_rate
from ostinato.training.penalties import in_words
from ostinato.training.progress import Display, Silent, make_display, of_a_task
from ostinato.training.resuming import refuse_other_settings
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.stepping import make_stepping
from ostinato.training.task import Outcome, Task, engines

OTHER_SEED = 1 << 40
"""Added to the seed of a run: what validates is drawn from elsewhere than what is learned from."""


def train_task(task: str, *, out: str | Path | None = None, progress: bool = True, **settings: Any) -> Outcome:
    """Train a model on the synthetic task of this name and return how it went; the model lies in the run folder.

    `settings` are those of the command line: `cell="gru"`, `length=150`, … Raises ConfigError for what cannot be done.
    """
    run = config.override(TaskRun(), "train_task", {"task": task, **settings})
    return train(replace(run, out=None if out is None else Path(out)), make_display() if progress else Silent())


def train(run: TaskRun, display: Display) -> Outcome:
    """Train as `run` says and show it on `display`. Raises OstinatoError for what cannot be done."""
    folder = RunFolder(run.folder, TaskRun())
    config.refuse_two_ways(run)
    try:
        with torch.random.fork_rng(), kept_threads(), explained(run.training, run.model):
            accelerator = make_accelerator(run.training, folder.path)
            if is_follower():
                return _follow(run, folder, accelerator)
            run = _resolved(config.with_cell_text(run))
            if run.resume and folder.is_run():
                return _go_on(run, folder, display, accelerator)
            with folder.beginning(run.overwrite) as staging:
                build_model(run)  # what cannot be built is refused before a run folder exists
                write_text(staging.config, config.to_yaml(run, __version__))
                folder.settle(staging, run.overwrite)
                return _fit(run, folder, display, accelerator)
    finally:
        display.close()


def goal_of(run: TaskRun) -> tuple[str, float]:
    """Return the figure that decides whether the task is solved, and the value it must reach."""
    name, value = TASKS[run.task.task].goal
    return name, value if run.task.goal is None else run.task.goal


def task_of(run: TaskRun) -> SequenceTask:
    """Return the task that the settings name."""
    kind = TASKS[run.task.task]
    return kind(kind.default_length if run.task.length is None else run.task.length)


def _go_on(asked: TaskRun, folder: RunFolder, display: Display, accelerator: Accelerator) -> Outcome:
    saved = folder.read_config()
    refuse_other_settings(asked, saved, folder)
    with folder.locked():
        return _fit(replace(saved, training=asked.training, out=asked.out), folder, display, accelerator)


def _follow(asked: TaskRun, folder: RunFolder, accelerator: Accelerator) -> Outcome:
    """Take part in the run that the first process writes, once its folder stands."""
    accelerator.wait_for_everyone()
    return _fit(replace(read_written(folder), out=asked.out), folder, Silent(), accelerator)


def _fit(run: TaskRun, folder: RunFolder, display: Display, accelerator: Accelerator) -> Outcome:
    model = build_model(run)
    name, value = goal_of(run)
    way = in_groups(run.training)
    held_out = model.task.tested().draw(
        run.task.test_sequences, torch.Generator().manual_seed(run.training.seed + OTHER_SEED)
    )

    def validate(model: Any) -> dict[str, float]:
        return score(model, move(held_out, model.outputs.weight.device))

    def write_card(figures: dict[str, Any]) -> None:
        write_text(folder.card, _card(run, folder, model, figures))

    task = Task(
        model, lanes_of(way, model.task, run.training.batch_size, run.training.seed), validate,
        way, write_card,
        score="mse" if model.task.target == "numbers" else "nats",
        in_words=of_a_task,
        counts="sequences",
        readings_an_epoch=None,
        is_solved=lambda figures: figures[name] <= value,
    )  # fmt: skip
    loop = Loop(task, run.training, folder, display, accelerator)
    initial = model.initial_state(run.training.batch_size)
    return run_to_end(loop, run, initial, lambda step: _announce(run, folder, model, display, step))


def _resolved(run: TaskRun) -> TaskRun:
    """Fill in what has no number yet. Raises ConfigError for a number that is not possible."""
    training = run.training
    for name in ("batch_size", "validate_every", "steps"):
        above_zero(name, getattr(training, name))
    above_zero("test_sequences", run.task.test_sequences)
    check_seed(training.seed)
    if training.seed >= OTHER_SEED:
        raise ConfigError("--seed", f"seed is {training.seed}", f"Of a task it is below {OTHER_SEED}")
    steps = training.steps or TaskRun().training.steps or 0
    training = replace(
        training,
        steps=steps,
        validate_every=training.validate_every or validation_period(steps),
        warmup=training.warmup or 0,
        learning_rate=default_learning_rate(training.optimizer)
        if training.learning_rate is None
        else training.learning_rate,
    )
    way = in_groups(training)
    way.updates(lanes_of(way, task_of(run), training.batch_size, training.seed).length)
    return replace(run, training=training)


def build_model(run: TaskRun) -> SequenceTaskModel:
    """Return the model at the start of its training, from the seed of the run."""
    torch.manual_seed(run.training.seed)
    settings = asdict(run.model)
    settings["initialisers"] = {"": settings["initialisers"], **settings.pop("starts")}
    model = SequenceTaskModel(task_of(run), **settings.pop("keywords"), **settings)
    if run.training.feedback != "teacher":
        model.right(model.task.draw(1))
    make_stepping(run.training, model)
    model.plans()
    return model


def _announce(run: TaskRun, folder: RunFolder, model: SequenceTaskModel, display: Display, step: int) -> None:
    training, task = run.training, model.task
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    cell = "cell of its own equations" if "=" in run.model.cell else run.model.cell
    name, value = goal_of(run)
    display.say(
        "\n".join(
            [
                f"task    {run.task.task}, length {task.length}; without memory the loss is {task.chance:.4f}",
                *described(training),
                f"model   {run.model.num_layers} x {run.model.hidden_size} {cell}, {parameters:,} parameters, "
                f"engine {engines(model)}",
                f"length  {training.steps:,} steps of {training.batch_size} sequences, "
                f"or until {name} is at most {value:.3g} on {run.task.test_sequences:,} others",
                *in_words(training),
                f"run     {folder.path}" + (f", from step {step:,} on" if step else ""),
            ]
        )
    )


def _card(run: TaskRun, folder: RunFolder, model: SequenceTaskModel, figures: dict[str, Any]) -> str:
    scores = {k: v for k, v in figures.items() if k not in ("step", "steps", "read")}
    command = f"ostinato train task --out {shlex.quote(str(folder.path))} --resume"
    return f"""# {folder.path.name}

A {run.model.cell if "=" not in run.model.cell else "network of its own equations"} of {run.model.hidden_size} units,
trained by Ostinato {__version__} on the task `{run.task.task}` of length {model.task.length}.

```
{command}
```

At step {figures["step"]:,} of {figures["steps"]:,}, after {figures["read"]:,} sequences:
{of_a_task(scores)}.
Every setting stands in `config.yaml`, every measurement in `metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""
