"""The model of a run: an encoder of any cell, or the baseline in its place, and the head that writes."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from ostinato.data.units import Units
from ostinato.models.baselines.steps import Hidden
from ostinato.models.transcriber import Transcriber
from ostinato.training.config import TranscriberRun


def build_model(run: TranscriberRun, width: int, units: Units) -> Transcriber:
    """Return a new model of frames of `width` numbers. Raises ConfigError for what does not fit."""
    settings = asdict(run.model)
    baseline = settings.pop("baseline")
    settings["bidirectional"] = settings.pop("directions") == 2
    alone = partial(Hidden, hidden_size=run.model.hidden_size) if baseline == "mlp" else None
    # the boundary is in no text: it is the blank
    return Transcriber(units.size, width, blank=units.boundary, alone=alone, **settings)
