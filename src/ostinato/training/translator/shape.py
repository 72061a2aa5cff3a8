"""A translator as the course of supervised runs knows it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from torch import nn

from ostinato._errors import ConfigError
from ostinato.data.store import Store
from ostinato.data.units import Units
from ostinato.training.config import TranslatorRun
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.translator import preparing
from ostinato.training.translator.building import build_model, check_network
from ostinato.training.translator.encoding import Encoder, TranslatorSchema
from ostinato.training.translator.report import report
from ostinato.training.translator.scoring import judged, nats_of
from ostinato.training.written.card import card_of
from ostinato.training.written.checks import check_learning
from ostinato.training.written.figures import in_words
from ostinato.training.written.hypotheses import Asked


class TranslatorShape:
    """Files of pairs, and the model that writes the second of each."""

    kind = TranslatorRun.kind

    def check(self, run: TranslatorRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run.data)
        check_network(run)
        run.search.check(run.model.attention)
        if run.model.copy and run.data.target_tokens in ("byte", "bpe"):
            got, possible = f"with targets of {run.data.target_tokens}", "They have no symbol for what has no like"
            raise ConfigError("copy", got, possible, "Use `target_tokens='word'`, char or symbols")
        check_learning(run.training, "A translator", "reads its source whole")

    def prepare(self, run: TranslatorRun, folder: RunFolder, display: Display) -> TranslatorRun:
        """Read the files once."""
        preparing.prepare(run, folder, display)
        return run

    def assemble(self, run: TranslatorRun, folder: RunFolder) -> Parts:
        """Make the model and the batches."""
        encoder = opened(folder)
        train, valid = (Store(folder.items / part) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model = build_model(run, encoder.source, encoder.target)
        batches = Batches(train, "source", run.training.batch_size, run.training.seed, encoder.collate)
        said = _said(run, encoder, train, valid)
        validate = partial(_figures, store=valid, encoder=encoder, select=run.training.select)
        return Parts(
            model, batches, validate, in_words, run.training.select, "nats", said, kept=(valid, encoder.collate)
        )

    def card(self, run: TranslatorRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        return card_of(run, folder, model, figures, _network(run), ["'a text'", "--file FILE"])

    def report(self, run: TranslatorRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.translator.trained import open_translator  # which builds the model as this file does

        return report(open_translator(folder.path), folder, display)


def opened(folder: RunFolder) -> Encoder:
    """Return what turns the pairs of a run into numbers. Raises RunError for what is missing or damaged."""
    schema = read_schema(folder.schema, TranslatorSchema)
    return Encoder(schema, Units.load(folder.source_tokenizer), Units.load(folder.tokenizer))


def _figures(model: Any, store: Store, encoder: Encoder, select: str) -> dict[str, float]:
    found = nats_of(model, store, encoder)
    if select == "nats":
        return found
    from ostinato.decoding.settings import Search

    return {
        "errors": 1 - judged(model, store, encoder, Asked(Search(max_length=1000), looks=False)).figures()["exact"],
        **found,
    }


def _said(run: TranslatorRun, encoder: Encoder, train: Store, valid: Store) -> list[str]:
    lengths = [train.lengths(name) for name in ("source", "target")]
    steps = " into ".join(f"{np.median(n):.0f} (at most {n.max():,})" for n in lengths)
    units = " into ".join(f"{side.size:,} ({side.kind})" for side in (encoder.source, encoder.target))
    kept = "the same" if valid is train else f"{len(valid):,}"
    return [
        f"data    {len(train):,} pairs to learn from, {kept} to validate",
        f"symbols {units}; {steps} a pair",
        f"model   {_network(run)}",
    ]


def _network(run: TranslatorRun) -> str:
    model = run.model
    names = ["cell of its own equations" if "=" in cell else cell for cell in (model.cell, model.decoder_cell or "")]
    ways = "two directions" if model.directions == 2 else "one direction"
    sizes = (model.decoder_layers or model.num_layers, model.decoder_size or model.hidden_size)
    looks = "no attention" if model.attention == "none" else f"{model.attention} attention"
    reads = f"reads with {model.num_layers} x {model.hidden_size} {names[0]}, {ways}"
    return f"{reads}; writes with {sizes[0]} x {sizes[1]} {names[1] or names[0]}, {looks}"
