"""The nearest series by dynamic time warping: what a network that classifies series is measured against.

Accuracy of one nearest neighbour (Sakoe and Chiba, 1978, without a window), by `dtaidistance`, on the archive's parts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato.data.frames import Frames, open_frames

DATA = Path(__file__).parents[2] / "shared" / "data" / "classification" / "timeseries"
PUBLISHED = {"JapaneseVowels": 0.949, "GunPoint": 0.907, "PLAID": None}
"""As commonly given for the archive (timeseriesclassification.com), without a window; None where none is at hand."""
QUICK = ("JapaneseVowels", "GunPoint")


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    try:
        import dtaidistance  # noqa: F401
    except ModuleNotFoundError:
        settings.skip("dtw", "dtaidistance is not installed (pip install -e '.[bench]')")
        return
    for name in QUICK if settings.quick else PUBLISHED:
        if not (DATA / name).is_dir():
            settings.skip(name, f"{DATA / name} is not there")
            continue
        train, test = (list(open_frames(DATA / name / f"{name}_{part}.ts")) for part in ("TRAIN", "TEST"))
        began = time.monotonic()
        accuracy = nearest_accuracy(train, test)
        yield {
            "data": name, "train": len(train), "test": len(test), "accuracy": accuracy,
            "seconds": round(time.monotonic() - began, 1), "published": PUBLISHED[name],
        }  # fmt: skip


def nearest_accuracy(train: list[Frames], test: list[Frames]) -> float:
    """Return the share of `test` whose nearest in `train` has its label; of equally near ones the first counts."""
    distances = between([item.values for item in test], [item.values for item in train])
    right = [item.label == train[near].label for item, near in zip(test, distances.argmin(1).tolist(), strict=True)]
    return sum(right) / len(right)


def between(rows: list[np.ndarray], columns: list[np.ndarray]) -> np.ndarray:
    """Return the warping distances (R, C) of series (T, D): the root of the summed squares along the best path."""
    from dtaidistance import dtw, dtw_ndim

    series = [np.ascontiguousarray(one, np.float64) for one in (*rows, *columns)]
    block = ((0, len(rows)), (len(rows), len(series)))
    if series[0].shape[1] == 1:
        found = dtw.distance_matrix([one[:, 0].copy() for one in series], block=block, use_c=True, parallel=False)
    else:
        found = dtw_ndim.distance_matrix(series, block=block, use_c=True, parallel=False)
    return np.asarray(found)[: len(rows), len(rows) :]


TABLE = Table(
    "Nearest by warping",
    "Accuracy of one nearest neighbour under dynamic time warping without a window, by `dtaidistance`.",
    (
        table.plain("data", -14, "data"),
        table.plain("train", 5, "train"),
        table.plain("test", 5, "test"),
        table.Column("accuracy", 8, lambda row: f"{row['accuracy']:.3f}"),
        table.Column("published", 9, lambda row: f"{row['published']:.3f}" if row["published"] else ""),
        table.Column("seconds", 8, lambda row: f"{row['seconds']:.1f}"),
    ),
)
