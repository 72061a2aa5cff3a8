"""Two processes on two cores beside one on one core: the same run, the same global batch, one thread each.

A run is taken at two lengths, and the difference of their seconds divided by the steps between them, as in `training`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.training import source_text

BATCH, STEPS, SHORT, LONG, ROUNDS = 64, 64, 10, 40, 2
SIZES = [("lstm", 2, 256), ("gru", 2, 128)]
TARGET = 1.6
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text.txt").write_text(source_text())
        for cell, num_layers, hidden in SIZES[1:] if settings.quick else SIZES:
            rounds = 1 if settings.quick else ROUNDS
            model = ["--cell", cell, "--num-layers", str(num_layers), "--hidden-size", str(hidden)]
            _seconds(Path(folder), [], model, SHORT)  # compiles the loops
            taken = [[speed(Path(folder), launcher, model) for launcher in ([], TORCHRUN)] for _ in range(rounds)]
            one, two = (statistics.median(speeds) for speeds in zip(*taken, strict=True))
            yield {
                "cell": cell, "num_layers": num_layers, "hidden_size": hidden, "one": one, "two": two,
                "ratio": two / one, "targets": [table.at_least("one process", two / one, TARGET)],
            }  # fmt: skip


def speed(folder: Path, launcher: list[str], model: list[str]) -> float:
    """Return symbols a second of a run under a launcher; none is one process."""
    short, long = (_seconds(folder, launcher, model, steps) for steps in (SHORT, LONG))
    return BATCH * STEPS * (LONG - SHORT) / (long - short)


def _seconds(folder: Path, launcher: list[str], model: list[str], steps: int) -> float:
    settings = [
        "--batch-size", str(BATCH), "--k1", str(STEPS), "--steps", str(steps), "--validate-every", str(steps),
        "--threads", "1", "--sample-length", "0", "--tracker", "none", "--dropout", "0", "--out", "run", "--overwrite",
    ]  # fmt: skip
    command = [*launcher, "-m", "ostinato.cli", "train", "language-model", "text.txt", *settings, *model]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"a run failed with exit code {ended.returncode}: {ended.stderr}")
    return json.loads((folder / "run/metrics.jsonl").read_text().splitlines()[-1])["seconds"]


TABLE = Table(
    "Two processes",
    f"`torchrun --nproc-per-node 2` beside one process, each on one thread: {BATCH} lanes in all, {STEPS} steps,"
    f" gradients over gloo. Target: {TARGET:g} times the symbols a second.",
    (
        table.plain("cell", -5, "cell"),
        table.Column("layers x units", -14, lambda row: f"{row['num_layers']} x {row['hidden_size']}"),
        table.Column("one process, symbols/s", 22, lambda row: f"{row['one']:,.0f}"),
        table.Column("two, symbols/s", 14, lambda row: f"{row['two']:,.0f}"),
        table.Column("× one", 6, lambda row: f"{row['ratio']:.2f}"),
        table.VERDICT,
    ),
)
