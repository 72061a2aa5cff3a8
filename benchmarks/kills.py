"""A run killed at 100 random moments, gone on with each time, beside the same run left alone: are they the same bits?

A try is killed at a moment drawn evenly from the start of its process on, so that kills fall into the start, the
reading of the checkpoint, steps, validations and writes alike. Moments are in seconds that its processor has worked: so
other work on the machine changes nothing.
"""

from __future__ import annotations

import contextlib
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.training import source_text
from ostinato.training.run_folder import read_tensors

KILLS, STEPS = 100, 8_000
QUICK_KILLS, QUICK_STEPS = 5, 600
SEED = 5
SHARE = 0.6
"""About how much of the run is done when the last kill falls."""
CHANGE = 1.1
"""By how much later, or earlier, the latest moment is for the next try, where the run is behind that, or ahead."""
ARGUMENTS = [
    "--cell", "gru", "--hidden-size", "32", "--num-layers", "2", "--dropout", "0.2", "--batch-size", "8", "--k1", "32",
    "--validate-every", "50", "--sample-length", "20", "--threads", "1", "--tracker", "none",
]  # fmt: skip


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    kills, steps = (QUICK_KILLS, QUICK_STEPS) if settings.quick else (KILLS, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text.txt").write_text(source_text()[:100_000])
        yield run(Path(folder), kills, steps)


def run(folder: Path, kills: int, steps: int) -> Row:
    """Return how a run of `steps` steps on `text.txt`, killed `kills` times, compares with one that was not."""
    # the second is what each try begins with: the text is read, loops are compiled
    _, start, whole = (_worked(_started(folder, out, n)) for out, n in (("one", 1), ("one", 2), ("whole", steps)))
    latest, draw, killed, idle, worked = start, random.Random(SEED), 0, 0, 0.0
    while killed < kills:
        before = _bytes(folder / "killed/state/last.safetensors")
        moment = draw.uniform(0, latest)
        seconds = _worked(_started(folder, "killed", steps), moment)
        worked += seconds
        if seconds < moment:  # it has come to its end before
            break
        killed += 1
        ahead = _steps(folder / "killed") / steps > SHARE * killed / kills
        latest *= 1 / CHANGE if ahead else CHANGE
        idle += _bytes(folder / "killed/state/last.safetensors") == before
    worked += _worked(_started(folder, "killed", steps))
    return {
        "steps": steps, "killed": killed, "idle": idle, "whole": whole, "seconds": worked,
        "model": _bytes(folder / "whole/model.safetensors") == _bytes(folder / "killed/model.safetensors"),
        "state": _same_tensors(*(folder / out / "state/last.safetensors" for out in ("whole", "killed"))),
    }  # fmt: skip


def _steps(run: Path) -> int:
    """Return how many steps the last checkpoint of a run has taken."""
    last = run / "state/last.safetensors"
    return read_tensors(last)[1]["counters"]["step"] if last.exists() else 0


def _started(folder: Path, out: str, steps: int) -> psutil.Popen:
    command = [sys.executable, "-m", "ostinato.cli", "train", "language-model", "text.txt", *ARGUMENTS]
    more = ["--out", out, "--steps", str(steps), "--resume"]
    return psutil.Popen([*command, *more], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _worked(process: psutil.Popen, until: float = math.inf) -> float:
    """Wait for the end of a process, or kill it at `until`; return the seconds that a processor worked for it."""
    worked = 0.0
    while process.poll() is None and worked < until:
        time.sleep(0.002)
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            times = process.cpu_times()
            worked = times.user + times.system
    if worked >= until:
        process.kill()
    _, complaint = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run failed with exit code {process.returncode}: {complaint.decode()}")
    return worked


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _same_tensors(one: Path, other: Path) -> bool:
    left, right = load_file(one), load_file(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


TABLE = Table(
    "Kills",
    "`train language-model` on one thread, killed (SIGKILL) at random moments and gone on with by `--resume`, beside"
    " the same run left alone. `before a checkpoint` counts the kills before the try had saved anything.",
    (
        table.Column("steps", 6, lambda row: f"{row['steps']:,}"),
        table.Column("kills", 6, lambda row: f"{row['killed']}"),
        table.Column("before a checkpoint", 20, lambda row: f"{row['idle']}"),
        table.Column("left alone CPU s", 17, lambda row: f"{row['whole']:,.0f}"),
        table.Column("killed CPU s", 13, lambda row: f"{row['seconds']:,.0f}"),
        table.Column("model.safetensors", -18, lambda row: "the same bytes" if row["model"] else "DIFFERS"),
        table.Column("whole state", -14, lambda row: "the same bits" if row["state"] else "DIFFERS"),
    ),
)
