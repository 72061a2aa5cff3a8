"""The model of a run: a forecaster over any cell, or what stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from ostinato.models.baselines.frames import HiddenMarkovFrames
from ostinato.models.baselines.naive import SeasonalNaive
from ostinato.models.forecaster import Forecaster, Stretch
from ostinato.training.config.forecaster import ForecasterRun
from ostinato.training.config.runs import Network
from ostinato.training.forecaster.encoding import ForecasterSchema, read_lags
from ostinato.training.forecaster.windows import Windows

OPTIONS = {"mixture": {"components": "components"}, "nade": {"hidden_size": "head_size"}, "point": {"loss": "loss"}}
"""Head → its keyword and the setting that holds it."""
AT_ONCE = 64


def build_model(run: ForecasterRun, schema: ForecasterSchema) -> Any:
    """Return a new model of these settings. Raises ConfigError for what does not fit."""
    settings, size = run.model, len(schema.targets)
    head = settings.head or "gaussian"
    if settings.baseline == "seasonal-naive":
        return SeasonalNaive(size, schema.season)
    if settings.baseline == "last-value":
        return SeasonalNaive(size, 1)
    if settings.baseline == "hmm":
        return HiddenMarkovFrames(size, settings.states, seed=run.training.seed)
    network = {f.name: getattr(settings, f.name) for f in fields(Network)}
    values = asdict(settings)
    options = {keyword: values[name] for keyword, name in OPTIONS.get(head, {}).items()}
    return Forecaster(
        size, covariates=schema.known, lags=read_lags(run.data.lags), head=head, direct=settings.direct,
        changes=settings.changes,        options=options, **network,
    )  # fmt: skip


def fitting(run: ForecasterRun, model: Any, windows: Windows) -> Callable[[], None] | None:
    """Return what finds the weights of a baseline; None for a model that learns step by step."""
    if run.model.baseline == "none":
        return None

    def stretches() -> Iterator[Stretch]:
        for first in range(0, len(windows), AT_ONCE):
            yield collate(windows, np.arange(first, min(first + AT_ONCE, len(windows))))

    return lambda: model.fit(stretches())


def collate(windows: Any, batch: Any) -> Stretch:
    """Return the pieces of these numbers side by side."""
    return windows.encoder.stretch([windows.piece(int(index)) for index in batch])
