"""Counts the n-grams of a text into a run folder: closed form, no steps. And what baselines of texts cannot be told.

This is the call behind `ostinato train language-model --baseline kneser-ney`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.data.streams import TokenStream
from ostinato.training import config
from ostinato.training.card import card
from ostinato.training.config import Run, above_zero
from ostinato.training.devices import kept_threads, processes
from ostinato.training.penalties import PENALTIES
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_tensors, write_text
from ostinato.training.task import Outcome
from ostinato.training.texts import check_text, validation_lanes, write_text_of
from ostinato.training.trained import build_model, score

WITHOUT_LAYERS = ("truncated", "full", "checkpointed")
"""Gradient methods that ask for nothing but a loss."""


def refuse_unfit(run: Run) -> None:
    """Refuse what only a recurrent network can do, of a baseline. Raises ConfigError."""
    if run.model.baseline != "window-mlp":
        return
    training = run.training
    asked = [f"--{name}" for name in PENALTIES if getattr(training, name)]
    asked += ["--feedback"] * (training.feedback != "teacher") + ["--compile"] * training.compile
    asked += [f"--gradient {training.gradient}"] * (training.gradient not in WITHOUT_LAYERS)
    if asked:
        got = f"{asked[0]} beside --baseline window-mlp"
        raise ConfigError(asked[0].split()[0], got, "It is for layers that run over time", "Leave one out")


def count(run: Run, folder: RunFolder, display: Display) -> Outcome:
    """Count, validate and write, all at once. Raises OstinatoError for what cannot be done."""
    if processes() > 1:
        got = f"{processes()} processes were started"
        raise ConfigError("--baseline", got, "N-grams are counted in one", "Start it without torchrun")
    if run.resume:
        raise ConfigError("--resume", "n-grams are counted at once", "There is nothing to go on with", "Leave it out")
    above_zero("threads", run.training.threads)
    above_zero("batch_size", run.training.batch_size)
    check_text(run.data.file)
    with kept_threads(), folder.beginning(run.overwrite) as staging:
        if run.training.threads is not None:
            torch.set_num_threads(run.training.threads)
        began = time.monotonic()
        run = replace(run, training=replace(run.training, steps=1, epochs=None))
        figures = _counted(run, staging, display)
        figures["seconds"] = round(time.monotonic() - began, 3)
        staging.append_metrics({"step": 1, "epoch": 1.0, **figures})
        write_text(staging.config, config.to_yaml(run, __version__))
        folder.settle(staging, run.overwrite)
    valid = {name.removeprefix("valid_"): value for name, value in figures.items() if name.startswith("valid_")}
    return Outcome(folder.path, 1, 1, valid["nats"], 1, figures["seconds"], metrics=valid, read=int(figures["symbols"]))


def _counted(run: Run, staging: RunFolder, display: Display) -> dict[str, Any]:
    vocabulary = write_text_of(run.data, staging, display)
    train, valid = (TokenStream.open(staging.tokens, part) for part in ("train", "valid"))
    model = build_model(vocabulary.size, run.model)
    display.say(
        f"text    {run.data.file.name}: {len(train):,} symbols to learn from, {len(valid):,} to validate; "
        f"vocabulary of {vocabulary.size:,} ({vocabulary.kind})\n"
        f"model   baseline kneser-ney, n-grams of up to {run.model.order} symbols; "
        "settings of networks and of steps say nothing here"
    )
    model.fit(train.tokens, vocabulary.boundary)
    rows = run.training.batch_size
    learned = score(model, train, validation_lanes(train, max(rows, 64)))["nats"]
    found = score(model, valid, validation_lanes(valid, rows))
    facts = {**found, "step": 1, "steps": 1, "read": len(train)}
    write_tensors(staging.model, model.state_dict(), facts)
    write_text(staging.card, card(run, RunFolder(run.folder).path, vocabulary, model, facts))
    return {"symbols": len(train), "train_nats": learned, **{f"valid_{name}": value for name, value in found.items()}}
