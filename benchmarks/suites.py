"""Every suite by name: what it measures and how its saved rows read as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import (
    catalogue,
    cells,
    diagonal,
    dtw,
    endurance,
    gradients,
    interference,
    kills,
    layers,
    memory,
    processes,
    ragged,
    streaming,
    table,
    training,
    translating,
    unbiased,
    vendor,
)
from benchmarks.settings import Settings
from benchmarks.table import Row, Table


@dataclass(frozen=True)
class Suite:
    """What measures and prints, and the table its rows make."""

    measure: Callable[[Settings], list[Row]]
    table: Table


_LAYERS = Table(
    "One layer",
    "Forward and backward with the input's gradient: `ostinato.nn` beside `torch.nn`.",
    (
        table.plain("layer", -5, "layer"),
        table.size(),
        table.milliseconds("torch ms", "torch"),
        table.milliseconds("ostinato ms", "ostinato"),
        table.Column("× torch", 7, lambda row: f"{row['ratio']:.2f}"),
        table.plain("engine", -7, "engine"),
    ),
)
_MEMORY = Table(
    "Memory",
    "Peak resident memory of 100 steps of `train language-model`, by the size of the text.",
    (
        table.plain("text", -5, "text"),
        table.Column("peak MB", 8, lambda row: f"{row['peak'] / 1e6:,.0f}"),
        table.Column("seconds", 8, lambda row: f"{row['seconds']:.0f}"),
    ),
)

SUITES = {
    "vendor": Suite(vendor.measure, vendor.TABLE),
    "cells": Suite(cells.measure, cells.TABLE),
    "catalogue": Suite(catalogue.measure, catalogue.TABLE),
    "diagonal": Suite(diagonal.measure, diagonal.TABLE),
    "ragged": Suite(ragged.measure, ragged.TABLE),
    "streaming": Suite(streaming.measure, streaming.TABLE),
    "training": Suite(training.measure, training.TABLE),
    "layers": Suite(lambda settings: layers.measure(), _LAYERS),
    "memory": Suite(lambda settings: memory.measure(), _MEMORY),
    "processes": Suite(processes.measure, processes.TABLE),
    "kills": Suite(kills.measure, kills.TABLE),
    "gradients": Suite(gradients.measure, gradients.TABLE),
    "dtw": Suite(dtw.measure, dtw.TABLE),
    "endurance": Suite(endurance.measure, endurance.TABLE),
    "translating": Suite(translating.measure, translating.TABLE),
    "unbiased": Suite(unbiased.measure, unbiased.TABLE),
    "interference": Suite(interference.measure, interference.TABLE),
}
GROUPS = {"native": ("vendor", "cells", "ragged", "streaming")}
"""Several suites under one name."""
