"""A tagger as the course of supervised runs knows it."""

from __future__ import annotations

import platform
import shlex
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato._errors import ConfigError, RunError
from ostinato._version import __version__
from ostinato.data.sentences import Lexicon
from ostinato.data.sentences.schemes import following
from ostinato.data.store import Store
from ostinato.layers.crf import Allowed
from ostinato.layers.words import Words
from ostinato.models.baselines.most_frequent_tag import MostFrequentTag
from ostinato.models.baselines.steps import Hidden, Itself
from ostinato.models.tagger import Tagger
from ostinato.training.config import TaggerRun
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches, in_batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.tagger import preparing
from ostinato.training.tagger.encoding import TaggerSchema, check_schema, collate
from ostinato.training.tagger.report import report
from ostinato.training.tagger.scoring import by_of, in_words, tally
from ostinato.training.tagger.source import reads_words
from ostinato.training.task import engines

SELECTED = {"errors": "errors", "f1": "f1_gap", "nats": "nats"}
ROW_BY_ROW = ("rtrl", "uoro")
"""Methods that follow a row by itself; words that several rows share are read once for all."""
AT_ONCE = 256


class TaggerShape:
    """Files of tagged sequences, and the model that tags them."""

    kind = TaggerRun.kind

    def check(self, run: TaggerRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run.data)
        model = run.model
        if (feedback := run.training.feedback) != "teacher":
            raise ConfigError("--feedback", f"{feedback} was given", "A tagger reads no tags", "Leave it out")
        if (model.directions == 2 or model.crf or model.baseline != "none") and run.training.gradient != "full":
            got = f"--gradient {run.training.gradient} reads a sequence in pieces"
            possible = "Layers of two directions, chains and baselines read it whole"
            raise ConfigError("--gradient", got, possible, "Use --gradient full, or --directions 1 without --crf")
        if run.training.gradient in ROW_BY_ROW and reads_words(run.data) and model.character_units:
            got = f"--gradient {run.training.gradient} of words that are read by their characters"
            raise ConfigError("--gradient", got, "It follows each row by itself", "Use --character-units 0")
        _check_penalties(run)
        if model.baseline == "most-frequent" and model.crf:
            raise ConfigError("--crf", "it was given with --baseline most-frequent", "", "Leave it out")

    def prepare(self, run: TaggerRun, folder: RunFolder, display: Display) -> TaggerRun:
        """Read the files once."""
        preparing.prepare(run, folder, display)
        return run

    def assemble(self, run: TaggerRun, folder: RunFolder) -> Parts:
        """Make the model and the batches."""
        schema, lexicon = opened(folder)
        score = _score(run, schema)
        train, valid = (Store(folder.items / part) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model = build_model(run, schema, lexicon)

        def validate(model: Any) -> dict[str, float]:
            found = tally(model, valid, schema).figures()
            return {score: found[score], **found}

        by = by_of(schema)
        return Parts(
            model, Batches(train, by, run.training.batch_size, run.training.seed, collate), validate,
            partial(in_words, schema), score, "nats", _said(run, schema, lexicon, train, valid),
            fit=partial(_count, model, train, by) if isinstance(model, MostFrequentTag) else None,
            kept=(valid, collate),
        )  # fmt: skip

    def card(self, run: TaggerRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        schema, _ = opened(folder)
        typed, network = shlex.quote(str(folder.path)), _network(run)
        engine = f", engine {engines(model)}" if isinstance(model, Tagger) else ""
        return f"""# {folder.path.name}

A tagger trained by Ostinato {__version__} on `{run.data.file}`: {_tags(schema)}.

```
ostinato predict {typed} {"'a text'" if schema.inputs == "words" else "--file FILE"}
ostinato evaluate {typed} FILE
```

{network[0].upper()}{network[1:]}, {sum(p.numel() for p in model.parameters()):,} parameters{engine}.
At step {figures["step"]:,} of {figures["steps"]:,}, on the part kept to validate: {in_words(schema, figures)}.
Tables and pictures lie in `report/`, every setting in `config.yaml`, every measurement in `metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""

    def report(self, run: TaggerRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.tagger.trained import open_tagger  # which builds the model as this file does

        return report(open_tagger(folder.path), folder, display)


def _check_penalties(run: TaggerRun) -> None:
    """Refuse penalties that would be taken of the reader of characters, or of steps that are not the same twice."""
    model, training = run.model, run.training
    asked = [name for name in ("ar", "tar", "omega") if getattr(training, name)]
    if asked and model.baseline != "none":
        got = f"it was given with --baseline {model.baseline}"
        raise ConfigError(f"--{asked[0]}", got, "It is taken of recurrent layers", "Leave it out")
    if training.omega and reads_words(run.data) and (model.character_units or model.dropout or model.unknown):
        got, possible = "words that are read by characters or by chance", "It follows steps that are the same twice"
        raise ConfigError("--omega", got, possible, "Use --character-units 0 --dropout 0 --unknown 0")


def opened(folder: RunFolder) -> tuple[TaggerSchema, Lexicon | None]:
    """Return the schema and the vocabulary of a run. Raises RunError for what is missing or damaged."""
    schema = check_schema(read_schema(folder.schema, TaggerSchema), str(folder.schema))
    return schema, _lexicon(folder.tokenizer) if schema.inputs == "words" else None


def build_model(run: TaggerRun, schema: TaggerSchema, lexicon: Lexicon | None) -> Tagger | MostFrequentTag:
    """Return a new model of these settings."""
    settings = asdict(run.model)
    baseline, crf = settings.pop("baseline"), settings.pop("crf")
    of_words = {name: settings.pop(name) for name in ("embedding_size", "character_size", "character_units", "unknown")}
    cell = settings.pop("character_cell")
    settings["bidirectional"] = settings.pop("directions") == 2
    counts = [] if lexicon is None else list(lexicon.counts.values())
    if baseline == "most-frequent":
        return MostFrequentTag(len(schema.tags), len(counts))
    reads: Words | int = schema.width
    if lexicon is not None:
        reads = Words(counts, len(lexicon.characters), cell=cell, engine=settings["engine"], **of_words)
    alone = {"none": None, "logistic": Itself, "mlp": partial(Hidden, hidden_size=settings["hidden_size"])}[baseline]
    allowed = Allowed(*map(torch.from_numpy, following(schema.scheme, schema.tags))) if crf else None
    return Tagger(len(schema.tags), reads, crf=crf, allowed=allowed, alone=alone, **settings)


def _count(model: MostFrequentTag, train: Store, by: str) -> None:
    for _, batch in in_batches(train, by, AT_ONCE, collate, torch.device("cpu")):
        model.add_batch(batch)


def _score(run: TaggerRun, schema: TaggerSchema) -> str:
    plain = schema.scheme == "plain"
    select = run.training.select or ("errors" if plain else "f1")
    if select == "f1" and plain:
        raise ConfigError("--select", "f1 of tags that spell no entities", "Of these: errors, nats", "Leave it out")
    return SELECTED[select]


def _lexicon(path: Path) -> Lexicon:
    try:
        return Lexicon.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(str(path), f"cannot be read ({error.strerror})", "", "Restore it from a copy") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(str(path), f"damaged ({error})", "", "Restore it from a copy, or train anew") from None


def _said(run: TaggerRun, schema: TaggerSchema, lexicon: Lexicon | None, train: Store, valid: Store) -> list[str]:
    lengths = train.lengths(by_of(schema))
    steps = f"{np.median(lengths):.0f} steps at the median, {lengths.max():,} at most"
    reads = f"frames of {schema.width}"
    if lexicon is not None:
        reads = f"{len(lexicon.counts):,} words of {len(lexicon.characters):,} characters"
    kept = "the same" if valid is train else f"{len(valid):,}"
    return [
        f"data    {len(train):,} sequences to learn from, {kept} to validate; {steps}; {reads}",
        f"answer  {_tags(schema)}",
        f"model   {_network(run)}",
    ]


def _tags(schema: TaggerSchema) -> str:
    names = ", ".join(schema.tags[:8]) + (", …" if len(schema.tags) > 8 else "")
    return f"one of {len(schema.tags)} tags a step ({names})"


def _network(run: TaggerRun) -> str:
    model, last = run.model, "a chain over the tags" if run.model.crf else "each tag by itself"
    if model.baseline != "none":
        return f"the baseline {model.baseline}, without recurrence, {last}"
    cell = "cell of its own equations" if "=" in model.cell else model.cell
    ways = "two directions" if model.directions == 2 else "one direction"
    return f"{model.num_layers} x {model.hidden_size} {cell}, {ways}, {last}"
