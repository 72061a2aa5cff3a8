"""Writes series into stores: whole, or cut into parts by time, each with what is read before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ostinato._errors import DataError
from ostinato.data.series import Series, SeriesFile
from ostinato.data.series.calendar import on_cycles
from ostinato.data.store import Store, Writer
from ostinato.training.forecaster.encoding import Encoder
from ostinato.training.metrics.forecasts import naive_error

CHUNK = 1 << 16
"""Steps of a series that are one item of a store: pieces are read out of it."""
Part = tuple[str, int, int]
"""Its name, and the steps [first, last) of a series that it has."""


def columns(encoder: Encoder) -> dict[str, Any]:
    """Return the columns of a store of series."""
    size, schema = len(encoder.schema.targets), encoder.schema
    known = len(schema.covariates) + 2 * len(schema.cycles)
    kinds = {
        "values": (np.float64, size), "gaps": np.float64, "lead": np.int64,
        "scaling": (np.float64, size), "naive": (np.float64, size), "name": np.uint8,
    }  # fmt: skip
    return kinds | ({"known": (np.float64, known)} if known else {})


def write_parts(writers: Mapping[str, Writer], encoder: Encoder, series: Series, parts: list[Part]) -> None:
    """Add the parts of a series, each with the steps before it that its first context reads (`lead`).

    Scaling and the error of the seasonal-naive forecast are those of the part `train`; without one, of what stands
    before each step that is judged, so none are kept.
    """
    check_values(series, encoder)
    learned = next((series.values[:last] for part, _, last in parts if part == "train"), None)
    known = np.concatenate(
        [series.covariates[: len(series)], on_cycles(encoder.times(series), tuple(encoder.schema.cycles))], 1
    )
    gaps = encoder.gaps(series)
    nothing = np.zeros((0, series.values.shape[1]))
    shared = {
        "scaling": nothing if learned is None else encoder.scaling(learned),
        "naive": nothing if learned is None else naive_error(learned, encoder.schema.season)[None],
        "name": np.frombuffer(series.item.encode(), np.uint8),
    }
    before = encoder.run.data.context + encoder.before  # which the lags of the first step of a context reach
    for part, first, last in parts:
        for start in range(first, last, CHUNK):
            lead = min(start, before)
            rows = slice(start - lead, min(last, start + CHUNK))
            writers[part].add(values=series.values[rows], known=known[rows], gaps=gaps[rows], lead=[lead], **shared)


def write_whole(folder: Path, file: SeriesFile, encoder: Encoder) -> Store:
    """Return a store of all series of a file, whole. Raises DataError where there are none, or of another width."""
    with Writer(folder, columns(encoder)) as writer:
        for series in file:
            encoder.check(series)
            write_parts({"": writer}, encoder, series, [("", 0, len(series))])
    store = Store(folder)
    if not len(store):
        raise DataError(str(folder), "no series in it", "A series is rows of numbers", "Check the file")
    return store


def check_values(series: Series, encoder: Encoder) -> None:
    """Refuse values that the head cannot say, naming the first."""
    values, support, model = series.values, encoder.support, encoder.run.model
    if support == "numbers":
        return
    good = (values == 0) | (values == 1) if support == "bits" else (values >= 0) & (values == np.round(values))
    if good.all():
        return
    step, column = (int(k) for k in np.argwhere(~good)[0])
    head = model.head if model.baseline == "none" else model.baseline
    what = "bits, 0 or 1" if support == "bits" else "counts: 0, 1, 2, …"
    got = f"{values[step, column]:g} at step {step + 1} of column {encoder.schema.targets[column]}"
    advice = "Use --head gaussian or student-t" if model.baseline == "none" else "Use --baseline last-value"
    raise DataError(series.place, got, f"{head} says {what}", advice)
