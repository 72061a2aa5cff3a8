"""How the tests start several processes of one run, with torchrun, and read what they leave."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
TWO = ["--standalone", "--nproc-per-node", "2"]


def environment() -> dict[str, str]:
    """Return an environment with one thread a process, 100 columns and no colours."""
    return os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}


def ostinato(folder: Path, launcher: list[str], *arguments: str, **options) -> subprocess.CompletedProcess:
    """Run the command line in `folder` under a launcher, which may be empty for one process."""
    command = [*TORCHRUN, *launcher] if launcher else [sys.executable]
    return subprocess.run(
        [*command, "-m", "ostinato.cli", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=400,
        **options,
    )


def distance(one: Path, other: Path, name: str) -> float:
    """Return the largest difference between the tensors of two files, one in each run folder."""
    left, right = load_file(one / name), load_file(other / name)
    assert left.keys() == right.keys()
    return max(float((left[key].double() - right[key].double()).abs().max()) for key in left if left[key].numel())


def same_bits(one: Path, other: Path, name: str) -> bool:
    """Whether two files, one in each run folder, hold the same numbers."""
    left, right = load_file(one / name), load_file(other / name)
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)
