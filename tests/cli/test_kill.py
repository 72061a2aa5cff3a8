"""A run killed at any moment leaves a folder that resumes to the bits of a run that was not."""

import json
import random
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from command_line import entry_point, environment
from safetensors.torch import load_file

from ostinato.training.horizon import FIGURES

TIMED = {"seconds", *FIGURES}

ARGUMENTS = [
    "train", "language-model", "book.txt", "--hidden-size", "32", "--num-layers", "2", "--dropout", "0.2",
    "--batch-size", "4", "--k1", "16", "--steps", "600", "--validate-every", "40", "--sample-length", "5",
    "--threads", "1",
]  # fmt: skip


def start(folder: Path, out: str, *more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [entry_point(), *ARGUMENTS, "--out", out, *more],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(process: subprocess.Popen, seconds: float) -> bool:
    """Kill the process at that moment; return whether it was still running."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("model.safetensors", "state/last.safetensors"):
        left, right = load_file(one / name), load_file(other / name)
        assert left.keys() == right.keys()
        assert [key for key in left if not torch.equal(left[key], right[key])] == []
    assert measured(one) == measured(other)


def measured(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(folder):
    assert not kill_after(start(folder, "whole"), 100)
    draw = random.Random(7)
    for _ in range(4):
        kill_after(start(folder, "killed", "--resume"), draw.uniform(1.5, 5.0))
    assert not kill_after(start(folder, "killed", "--resume"), 100)
    assert_same_run(folder / "whole", folder / "killed")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_saves_and_says_how_to_go_on(folder, number, code):
    process = start(folder, "stopped", "--steps", "100000")
    assert process.stdout is not None
    lines = []
    while "validation" not in (line := process.stdout.readline()) or "step " not in line:
        lines.append(line)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    assert "everything is saved. To go on:\n  ostinato train language-model --out stopped --resume" in out
    last = load_file(folder / "stopped" / "state" / "last.safetensors")
    assert any(name.startswith("optimizer/") for name in last)
