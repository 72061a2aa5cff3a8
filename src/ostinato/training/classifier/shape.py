"""A classifier as the course of supervised runs knows it."""

from __future__ import annotations

import platform
import shlex
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato._errors import ConfigError
from ostinato._version import __version__
from ostinato.data.store import Store
from ostinato.data.vocabulary import Vocabulary
from ostinato.training.classifier import preparing
from ostinato.training.classifier.building import build_model, fitting
from ostinato.training.classifier.encoding import ClassifierSchema, check_schema, collate
from ostinato.training.classifier.report import report
from ostinato.training.classifier.scoring import in_words, tally
from ostinato.training.config import ClassifierRun
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.task import engines

SELECTED = {"errors": "errors", "nats": "nats", "macro_f1": "macro_f1_gap", "mse": "mse"}


METHODS = ("full", "truncated", "checkpointed")
"""Gradient methods that know of a loss that comes at the end of a sequence."""


class ClassifierShape:
    """Files of labelled sequences, and the model that answers them."""

    kind = ClassifierRun.kind

    def check(self, run: ClassifierRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run.data)
        if run.training.gradient not in METHODS:
            got = f"{run.training.gradient} was given"
            raise ConfigError("--gradient", got, f"Of a classifier it is {', '.join(METHODS)}", "Leave it out")
        if (run.model.directions == 2 or run.model.baseline != "none") and run.training.gradient != "full":
            got = f"--gradient {run.training.gradient} reads a sequence in pieces"
            possible = "Layers of two directions and baselines read it whole"
            raise ConfigError("--gradient", got, possible, "Use --gradient full, or --directions 1")
        select, numbers = run.training.select, run.data.answer == "numbers"
        if select is not None and (select == "mse") != numbers:
            got = f"{select} of answers that are {run.data.answer}"
            raise ConfigError("--select", got, "mse is of numbers, the others of labels", "Leave it out")

    def prepare(self, run: ClassifierRun, folder: RunFolder, display: Display) -> ClassifierRun:
        """Read the files once."""
        preparing.prepare(run, folder, display)
        return run

    def assemble(self, run: ClassifierRun, folder: RunFolder) -> Parts:
        """Make the model and the batches."""
        schema, vocabulary = opened(folder)
        train, valid = (Store(folder.items / part) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model = build_model(run, schema, vocabulary)

        def validate(model: Any) -> dict[str, float]:
            return ordered(tally(model, valid, schema).figures(), score)

        score = SELECTED[run.training.select or ("mse" if schema.answer == "numbers" else "errors")]
        batches = Batches(train, "inputs", run.training.batch_size, run.training.seed, collate)
        loss = "mse" if schema.answer == "numbers" else "nats"
        fit = fitting(run, schema, model, train)
        said = _said(run, schema, vocabulary, train, valid)
        return Parts(
            model,
            batches,
            validate,
            lambda found: in_words(schema, found),
            score,
            loss,
            said,
            fit,
            kept=(valid, collate),
        )

    def card(self, run: ClassifierRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        schema, _ = opened(folder)
        typed, network = shlex.quote(str(folder.path)), _network(run)
        return f"""# {folder.path.name}

A classifier trained by Ostinato {__version__} on `{run.data.file}`: {_answers(schema)}.

```
ostinato predict {typed} {"'a text'" if schema.inputs == "symbols" else "FILE"}
ostinato evaluate {typed} FILE
```

{network[0].upper()}{network[1:]}, {sum(p.numel() for p in model.parameters()):,} parameters, engine {engines(model)}.
At step {figures["step"]:,} of {figures["steps"]:,}, on the part kept to validate: {in_words(schema, figures)}.
Tables and pictures lie in `report/`, every setting in `config.yaml`, every measurement in `metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""

    def report(self, run: ClassifierRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.classifier.trained import open_classifier  # which builds the model as this file does

        return report(open_classifier(folder.path), folder, display)


def opened(folder: RunFolder) -> tuple[ClassifierSchema, Vocabulary | None]:
    """Return the schema and the vocabulary of a run."""
    schema = check_schema(read_schema(folder.schema, ClassifierSchema), str(folder.schema))
    return schema, Vocabulary.load(folder.tokenizer) if schema.inputs == "symbols" else None


def ordered(found: dict[str, float], score: str) -> dict[str, float]:
    """Return the figures with the one that decides first."""
    return {score: found[score], **found}


def _said(run: ClassifierRun, schema: ClassifierSchema, vocabulary: Any, train: Store, valid: Store) -> list[str]:
    lengths = train.lengths("inputs")
    steps = f"{np.median(lengths):.0f} steps at the median, {lengths.max():,} at most"
    stacked = f", {run.data.stack} a step" if run.data.stack > 1 else ""
    reads = f"{vocabulary.size:,} symbols ({vocabulary.kind})" if vocabulary else f"frames of {schema.width}{stacked}"
    kept = "the same" if valid is train else f"{len(valid):,}"
    return [
        f"data    {len(train):,} sequences to learn from, {kept} to validate; {steps}; {reads}",
        f"answer  {_answers(schema)}",
        f"model   {_network(run)}",
    ]


def _answers(schema: ClassifierSchema) -> str:
    names = ", ".join(schema.labels[:8]) + (", …" if len(schema.labels) > 8 else "")
    count = len(schema.labels)
    if schema.answer == "numbers":
        return f"{count} number{'s' if count > 1 else ''} ({names})"
    return f"{'one' if schema.answer == 'label' else 'any'} of {count} labels ({names})"


def _network(run: ClassifierRun) -> str:
    model = run.model
    if model.baseline != "none":
        return f"the baseline {model.baseline}, without recurrence"
    cell = "cell of its own equations" if "=" in model.cell else model.cell
    ways = "two directions" if model.directions == 2 else "one direction"
    return f"{model.num_layers} x {model.hidden_size} {cell}, {ways}, {model.pooling} pooling"
