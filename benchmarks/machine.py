"""Which machine and commit a figure belongs to, and how a time is taken."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

import torch

from ostinato._version import __version__

PEERS = ("jax", "flax", "onnxruntime")


def take_cores(threads: int) -> None:
    """Keep this process to so many cores and torch to so many threads; call it before a peer starts its own.

    JAX and ONNX Runtime take their number of threads from the cores a process may use.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    torch.set_num_threads(threads)


def describe() -> dict[str, str]:
    """Return what a figure depends on besides the code that made it; `load` is the system's before the run."""
    return {
        "date": date.today().isoformat(),
        "commit": _commit(),
        "ostinato": __version__,
        "torch": torch.__version__,
        **{name: version for name in PEERS if (version := _version(name))},
        "python": platform.python_version(),
        "processor": _processor(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "load": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown",
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no repository"


SETTLED_S, SETTLE_AT_MOST_S = 0.01, 0.5
"""A process whose threads use no time for the first of these is settled; after the second it never will be."""
WARM_S = 0.005
"""How long a turn runs uncounted, so that caches hold its own data and its own threads are awake."""
LONG_S = 0.5
"""A run from this length on needs neither: what the one before left behind is less than a hundredth of it."""


@dataclass(frozen=True)
class Budget:
    """How long contenders take turns: until `seconds` are over, but so many rounds at least and at most."""

    seconds: float
    least: int
    most: int


@dataclass(frozen=True)
class Timing:
    """What the counted runs of one contender took, in seconds."""

    median: float
    spread: float
    """The middle half of the runs lies within this share of the median."""
    first: float
    """The very first run, not counted: it compiles what is compiled."""
    runs: int


def take_turns(contenders: Mapping[str, Callable[[], object]], budget: Budget) -> dict[str, Timing]:
    """Time each contender once a round, one after the other; a turn begins settled and warm."""
    gc.collect()
    firsts = {name: _seconds(run) for name, run in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    began = time.perf_counter()
    for round_number in range(budget.most):
        if round_number >= budget.least and time.perf_counter() - began > budget.seconds:
            break
        for name, run in contenders.items():
            if not times[name] or times[name][-1] < LONG_S:
                settle()
                warm(run)
            times[name].append(_seconds(run))
    return {name: timing(times[name], firsts[name]) for name in contenders}


def settle() -> None:
    """Wait until the threads of whoever ran before sleep.

    A pool without work goes on spinning and takes a core from who comes next: libgomp's for 8 ms, ONNX Runtime's for 45
    (CPU time used by a process that sleeps, 2 cores).
    """
    began = time.perf_counter()
    while time.perf_counter() - began < SETTLE_AT_MOST_S:
        used = time.process_time()
        time.sleep(SETTLED_S)
        if time.process_time() - used < SETTLED_S / 10:
            return


def warm(run: Callable[[], object]) -> None:
    """Run for WARM_S, at least once."""
    began = time.perf_counter()
    run()
    while time.perf_counter() - began < WARM_S:
        run()


def timing(times: list[float], first: float) -> Timing:
    """Return the median and the spread of these times."""
    median = statistics.median(times)
    low, _, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else (median,) * 3
    return Timing(median, (high - low) / median, first, len(times))


def medians(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each over so many rounds."""
    taken = take_turns(contenders, Budget(seconds=0.0, least=rounds, most=rounds))
    return {name: one.median for name, one in taken.items()}


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
