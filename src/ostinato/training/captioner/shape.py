"""A captioner as the course of supervised runs knows it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ostinato.data.store import Store
from ostinato.data.units import Units
from ostinato.models.baselines.unigram import Unigram
from ostinato.training.captioner import preparing
from ostinato.training.captioner.building import attention_of, build_model, channels_of
from ostinato.training.captioner.encoding import PICTURES, CaptionerSchema, Encoder, Items
from ostinato.training.captioner.report import report
from ostinato.training.captioner.scoring import AT_ONCE, judged, nats_of
from ostinato.training.config import CaptionerRun
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches, in_batches
from ostinato.training.supervised.schema import read_schema
from ostinato.training.supervised.shape import Parts
from ostinato.training.written.card import card_of
from ostinato.training.written.checks import check_learning
from ostinato.training.written.figures import in_words
from ostinato.training.written.hypotheses import Asked


class CaptionerShape:
    """Images and vectors with captions, and the model that writes these."""

    kind = CaptionerRun.kind

    def check(self, run: CaptionerRun) -> None:
        """Refuse settings that cannot be."""
        preparing.check(run.data)
        channels_of(run.model)
        run.search.check(run.model.attention)
        check_learning(run.training, "A captioner", "learns from whole captions")

    def prepare(self, run: CaptionerRun, folder: RunFolder, display: Display) -> CaptionerRun:
        """Read the files once."""
        preparing.prepare(run, folder, display)
        return run

    def assemble(self, run: CaptionerRun, folder: RunFolder) -> Parts:
        """Make the model and the batches."""
        encoder, pictures = opened(folder), Store(folder.items / PICTURES)
        train, valid = (Items(folder.items, part, encoder, pictures) for part in ("train", "valid"))
        valid = valid if len(valid) else train
        model = build_model(run, encoder)
        # captions of a length are of a kind: learned from one kind at a time, figures took twice the steps
        batches = Batches(train, "target", run.training.batch_size, run.training.seed, train.collate, mixed=True)
        select = run.training.select
        return Parts(
            model, batches, partial(_figures, items=valid, select=select), in_words, select, "nats",
            _said(run, encoder, train, valid),
            fit=partial(_count, model, train) if isinstance(model, Unigram) else None,
            kept=(valid, valid.collate),
        )  # fmt: skip

    def card(self, run: CaptionerRun, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        schema = opened(folder).schema
        example = {"image": "photo.png", "vector": "'#ff8000'", "regions": "--file features.npz"}[schema.kind]
        asks = " --question 'what is there?'" if schema.has_questions and schema.kind != "regions" else ""
        return card_of(run, folder, model, figures, _network(run, schema), [example + asks, "--file FILE"])

    def report(self, run: CaptionerRun, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights."""
        from ostinato.training.captioner.trained import open_captioner  # which builds the model as this file does

        return report(open_captioner(folder.path), folder, display)


def opened(folder: RunFolder) -> Encoder:
    """Return what turns the items of a run into numbers. Raises RunError for what is missing or damaged."""
    schema = read_schema(folder.schema, CaptionerSchema)
    question = Units.load(folder.source_tokenizer) if schema.has_questions else None
    return Encoder(schema, Units.load(folder.tokenizer), question)


def _figures(model: Any, items: Items, select: str) -> dict[str, float]:
    found = nats_of(model, items)
    if select == "nats":
        return found
    from ostinato.decoding.settings import Search

    return {"errors": 1 - judged(model, items, Asked(Search(max_length=1000), looks=False)).figures()["exact"], **found}


def _count(model: Unigram, train: Items) -> None:
    for _, batch in in_batches(train, "target", AT_ONCE, train.collate, torch.device("cpu")):
        model.add_batch(batch)


def _said(run: CaptionerRun, encoder: Encoder, train: Items, valid: Items) -> list[str]:
    lengths = train.store.lengths("target")
    kept = "the same" if valid is train else f"{len(valid):,}"
    asked = "" if encoder.question is None else f", {encoder.question.size:,} of questions"
    return [
        f"data    {len(train):,} captions to learn from, {kept} to validate",
        f"symbols {encoder.target.size:,} ({encoder.target.kind}){asked}; "
        f"{np.median(lengths):.0f} (at most {lengths.max():,}) a caption",
        f"model   {_network(run, encoder.schema)}",
    ]


def _network(run: CaptionerRun, schema: CaptionerSchema) -> str:
    model = run.model
    if model.baseline == "unigram":
        return "the baseline unigram: how often each symbol occurs"
    sees = {
        "image": f"sees {schema.shape[0]} x {schema.shape[0]} pixels through convolutions of {model.channels}",
        "regions": f"sees {schema.shape[0]} regions of {schema.shape[-1]} numbers",
        "vector": f"sees {schema.shape[-1]} numbers",
    }[schema.kind]
    sees = "sees nothing (the baseline blind)" if model.baseline == "blind" else sees
    attention = attention_of(model, schema)
    looks = "no attention" if attention == "none" else f"{attention} attention"
    cell = "cell of its own equations" if "=" in model.cell else model.cell
    reads = "reads questions and writes" if schema.has_questions else "writes"
    return f"{sees}; {reads} with {model.num_layers} x {model.hidden_size} {cell}, {looks}"
