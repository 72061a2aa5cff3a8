"""A transcriber as the course of supervised runs knows it."""

from __future__ import annotations

import platform
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.data.store import Store
from ostinato.data.units import Units
from ostinato.training.config import TranscriberRun, above_zero
from ostinato.training.config.transcriber import TranscriberNetwork
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.task import engines
from ostinato.training.trained import open_language_model
from ostinato.training.transcriber import preparing, searching
from ostinato.training.transcriber.building import OF_TRANSDUCERS, build_model
from ostinato.training.transcriber.encoding import Encoder, TranscriberSchema, check_schema, collate
from ostinato.training.transcriber.report import report
from ostinato.training.transcriber.scoring import in_words, tally
from ostinato.training.transcriber.searching import Asked


class TranscriberShape:
    """Files of speech, and the model that writes what is said."""

    kind = TranscriberRun.kind

    def check(self, run: TranscriberRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run.data)
        searching.check(run.search)
        _check_loss(run)
        if run.search.language_weight != type(run.search)().language_weight:
            searching.check_weighed(run.search)
        if run.search.language_model is not None:
            open_language_model(Path(run.search.language_model))
        above_zero("stack", run.model.stack)
        if run.training.gradient != "full":
            got = f"{run.training.gradient} was given"
            raise ConfigError("--gradient", got, "A transcriber reads an utterance whole: full", "Leave it out")
        asked = [name for name in ("ar", "tar", "omega") if getattr(run.training, name)]
        if asked and run.model.baseline != "none":
            got = f"it was given with --baseline {run.model.baseline}"
            raise ConfigError(f"--{asked[0]}", got, "It is taken of recurrent layers", "Leave it out")

    def prepare(self, run: TranscriberRun, folder: RunFolder, display: Display) -> TranscriberRun:
        """Hear all sounds once."""
        preparing.prepare(run, folder, display)
        return run

    def assemble(self, run: TranscriberRun, folder: RunFolder) -> Parts:
        """Make the model and the batches."""
        encoder = opened(folder)
        asked = searching.asked_of(run.search, encoder)  # which refuses a language model of other symbols
        train, valid = (Store(folder.items / part) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model, score = build_model(run, encoder.schema.width, encoder.units), score_of(run)
        batches = Batches(train, "frames", run.training.batch_size, run.training.seed, collate)
        validate = partial(_figures, store=valid, encoder=encoder, score=score)
        said = [*_said(run, encoder, train, valid), *(f"note    {line}" for line in asked.lines())]
        return Parts(model, batches, validate, in_words, score, "nats", said, kept=(valid, collate))

    def card(self, run: TranscriberRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        typed, network = shlex.quote(str(folder.path)), _network(run)
        return f"""# {folder.path.name}

A transcriber trained by Ostinato {__version__} on `{run.data.file}`.

```
ostinato predict {typed} sound.wav
ostinato evaluate {typed} MANIFEST
```

{network[0].upper()}{network[1:]}, {sum(p.numel() for p in model.parameters()):,} parameters, engine {engines(model)}.
At step {figures["step"]:,} of {figures["steps"]:,}, on the part kept to validate: {in_words(figures)}.
What it writes, beside what was said, lies in `report/`; every setting in `config.yaml`, every measurement in
`metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""

    def report(self, run: TranscriberRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.transcriber.trained import open_transcriber  # which builds the model as this file does

        return report(open_transcriber(folder.path), folder, display)


def _check_loss(run: TranscriberRun) -> None:
    """Refuse what CTC has no use for, and what a transducer has none for."""
    if run.model.loss == "ctc":
        usual = TranscriberRun().model
        for name in OF_TRANSDUCERS:
            if getattr(run.model, name) != getattr(usual, name):
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(flag, "it was given with --loss ctc", "A transducer has it", "Use --loss transducer")
        return
    for name in ("prediction_size", "joint_size"):
        above_zero(name, getattr(run.model, name))
    for name in ("language_model", "symbol_bonus"):
        if getattr(run.search, name):
            got, possible = "it was given with --loss transducer", "Its network over what was written takes that place"
            raise ConfigError(f"--{name.replace('_', '-')}", got, possible, "Leave it out")


def opened(folder: RunFolder) -> Encoder:
    """Return what turns utterances into numbers. Raises RunError for what is missing or damaged."""
    schema = check_schema(read_schema(folder.schema, TranscriberSchema), str(folder.schema))
    return Encoder(schema, Units.load(folder.tokenizer))


def score_of(run: TranscriberRun) -> str:
    """Return the figure that decides which weights are best, the smaller the better."""
    by_words = run.data.tokens in ("word", "symbols")
    select = run.training.select or ("wer" if by_words else "cer")
    return "errors" if select == "exact" else select


def _figures(model: Any, store: Store, encoder: Encoder, score: str) -> dict[str, float]:
    found = tally(model, store, encoder, Asked()).figures()
    found |= {"errors": 1 - found["exact"]} if score == "errors" else {}
    return {score: found[score], **found}


def _said(run: TranscriberRun, encoder: Encoder, train: Store, valid: Store) -> list[str]:
    lengths, data = train.lengths("frames"), run.data
    kept = "the same" if valid is train else f"{len(valid):,}"
    frames = f"{np.median(lengths):.0f} frames at the median, {lengths.max():,} at most"
    reads = f"features of {encoder.schema.width}"
    if encoder.schema.rate is not None:
        hours = lengths.sum() * data.step_ms / 3.6e6
        reads = f"{hours:.2f} hours at {encoder.schema.rate:,} Hz, {data.bands} log-mel bands"
    return [
        f"data    {len(train):,} utterances to learn from, {kept} to validate; {frames}; {reads}",
        f"writes  {encoder.units.size:,} symbols ({encoder.units.kind}), the blank among them",
        f"model   {_network(run)}",
    ]


def _network(run: TranscriberRun) -> str:
    model = run.model
    reads = f"{model.stack} frames a step" if model.stack > 1 else "a frame a step"
    if model.baseline != "none":
        return f"the baseline {model.baseline}, without recurrence, {reads}, {_head(model)}"
    ways = "two directions" if model.directions == 2 else "one direction"
    return f"{model.num_layers} x {model.hidden_size} {_named(model.cell)}, {ways}, {reads}, {_head(model)}"


def _head(model: TranscriberNetwork) -> str:
    if model.loss == "ctc":
        return "CTC"
    cell = model.prediction_cell or model.cell
    joint = f"joined by {model.joint_size} units" if model.joint == "tanh" else "summed"
    return f"a transducer with {model.prediction_size} {_named(cell)} over what was written, {joint}"


def _named(cell: str) -> str:
    return "cell of its own equations" if "=" in cell else cell
