"""The model of a run: an encoder of any cell, or the baseline in its place, and the head that writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from torch import nn

from ostinato.data.units import Units
from ostinato.models.baselines.steps import Hidden
from ostinato.models.transcriber import Transcriber
from ostinato.models.transducer import TransducerHead
from ostinato.training.config import TranscriberRun

OF_TRANSDUCERS = ("prediction_cell", "prediction_size", "joint", "joint_size")
"""Settings of the network that only a transducer has."""


def build_model(run: TranscriberRun, width: int, units: Units) -> Transcriber:
    """Return a new model of frames of `width` numbers. Raises ConfigError for what does not fit."""
    settings = {name: value for name, value in asdict(run.model).items() if name not in ("loss", *OF_TRANSDUCERS)}
    baseline = settings.pop("baseline")
    settings["bidirectional"] = settings.pop("directions") == 2
    alone = partial(Hidden, hidden_size=run.model.hidden_size) if baseline == "mlp" else None
    # the boundary is in no text: it is the blank
    return Transcriber(units.size, width, blank=units.boundary, alone=alone, head=_head(run, units), **settings)


def _head(run: TranscriberRun, units: Units) -> Callable[[int], nn.Module] | None:
    """Return what makes a transducer; None for CTC."""
    model = run.model
    if model.loss == "ctc":
        return None
    return lambda size: TransducerHead(
        size, units.size, units.boundary, model.prediction_cell or model.cell, hidden_size=model.prediction_size,
        joint=model.joint, joint_size=model.joint_size, dropout=model.dropout, engine=model.engine,
    )  # fmt: skip
