"""A disk that is full and a folder that cannot be written, at the beginning of a run and in its middle."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import entry_point, environment

from ostinato.training.run_folder import read_tensors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are set as Linux does")
ARGUMENTS = [
    "train", "language-model", "book.txt", "--out", "run", "--hidden-size", "64", "--num-layers", "1",
    "--batch-size", "4", "--k1", "16", "--steps", "100000", "--validate-every", "40", "--sample-length", "5",
    "--threads", "1", "--engine", "vendor", "--tracker", "none",
]  # fmt: skip
OVERRIDE = 1
"""The capability by which root writes where nobody may (CAP_DAC_OVERRIDE)."""


def bound() -> None:
    """Give up the right of root to write everywhere, before the command begins."""
    import ctypes

    ctypes.CDLL(None).prctl(24, OVERRIDE, 0, 0, 0)  # PR_CAPBSET_DROP; not root: it refuses, and nothing is needed


def start(folder: Path) -> subprocess.Popen:
    """Start a run, and return when its first validation is saved."""
    process = subprocess.Popen(
        [entry_point(), *ARGUMENTS],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=bound,
    )
    assert process.stdout is not None
    while "nats" not in (line := process.stdout.readline()):
        assert line, process.communicate()[1]
    while not (folder / "run/state/last.safetensors").exists():
        pass
    return process


def fill_disk(process: subprocess.Popen, folder: Path) -> Callable[[], None]:
    import resource

    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (30_000, 30_000))
    return lambda: None


def forbid(process: subprocess.Popen, folder: Path) -> Callable[[], None]:
    (folder / "run/state").chmod(0o500)
    return lambda: (folder / "run/state").chmod(0o700)


@pytest.mark.parametrize(("hinder", "said"), [(fill_disk, "File too large"), (forbid, "Permission denied")])
def test_a_run_hindered_in_its_middle_says_where_and_goes_on_later(ostinato, folder, hinder, said):
    process = start(folder)
    undo = hinder(process, folder)
    _, err = process.communicate(timeout=60)
    undo()
    assert (process.returncode, len(err.splitlines())) == (1, 1), err
    assert err.startswith("ostinato: run/")
    assert said in err
    assert list((folder / "run").rglob("*.part")) == []
    taken = read_tensors(folder / "run/state/last.safetensors")[1]["counters"]["step"]
    again = ostinato("train", "language-model", "--out", "run", "--resume", "--steps", str(taken + 5))
    assert again.returncode == 0, again.stderr
    assert f"Done: {taken + 5:,} steps" in again.stdout


def test_a_folder_that_may_not_be_written_is_named_at_the_beginning(ostinato, folder):
    (folder / "book.txt").chmod(0o444)
    folder.chmod(0o500)
    ended = ostinato(*ARGUMENTS, preexec_fn=bound)
    folder.chmod(0o700)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1), ended.stderr
    assert "Permission denied" in ended.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["book.txt"]
