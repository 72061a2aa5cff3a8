"""Memory that is not there becomes an error with the sizes of the run."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ostinato import RunError
from ostinato.training.config import Learning, Model, Training
from ostinato.training.language_model import train_language_model
from ostinato.training.memory import explained
from ostinato.training.sequence_task import train_task

SIZES = r"batch_size is 32, k1 64, k2 7, hidden_size 256 in 2 layers"
ADVICE = "Use --accumulate 2.*lower --batch-size, --k1, --k2 or --hidden-size"


def impossible(make):
    with explained(Training(k2=7), Model()):
        make()


@pytest.mark.parametrize(
    ("make", "amount"),
    [
        (lambda: torch.empty(10**14), "381,469,727 MiB more were asked for"),
        (lambda: torch.nn.Linear(10**10, 10**10), "the sizes are beyond what can be asked for"),
        (lambda: np.empty(10**15), "7.11 PiB more were asked for"),
        (lambda: bytes(10**14), "the sizes are beyond"),
    ],
)
def test_what_an_allocator_refuses_is_told_with_the_sizes(make, amount):
    with pytest.raises(
        RunError,
        match=rf"^memory: not enough: {amount}.*{SIZES}.*{ADVICE}",
    ):
        impossible(make)


def test_another_fault_passes_as_it_is():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        impossible(lambda: torch.ones(2, 3) @ torch.ones(2, 3))


def test_what_has_no_windows_is_not_told_to_shorten_them():
    with (
        pytest.raises(RunError, match=r"lower --batch-size or --hidden-size\.$"),
        explained(Learning(gradient="full"), Model()),
    ):
        torch.empty(10**14)


def test_a_model_that_fits_nowhere_is_refused_and_nothing_is_left(tmp_path, text, small):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=r"hidden_size 1000000 in 1 layers"):
        train_language_model(text, out=tmp_path / "run", **small | {"hidden_size": 1_000_000})
    assert sorted(tmp_path.rglob("*")) == before


def test_a_task_that_fits_nowhere_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"batch_size is 2000000000000"):
        train_task("adding", out=tmp_path / "run", batch_size=2 * 10**12, steps=1, progress=False)


LIMITED = """
import resource, sys
from pathlib import Path
from ostinato.cli.main import main
from ostinato.training.loop import Loop

learn = Loop._learn

def learn_and_limit(self, window):
    learn(self, window)
    if self.counters.step == 8:  # from here on the system has nothing more to give
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used, used))

Loop._learn = learn_and_limit
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is taken from /proc")
def test_memory_that_ends_in_the_middle_of_a_run_ends_it_with_a_clear_word(tmp_path, text):
    command = [
        sys.executable, "-c", LIMITED, "train", "language-model", str(text), "--out", str(tmp_path / "run"),
        "--batch-size", "4", "--hidden-size", "64", "--steps", "40", "--validate-every", "6", "--k1", "600",
        "--k2", "600", "--threads", "1", "--sample-length", "0", "--engine", "vendor",
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert ended.stderr.startswith("ostinato: memory: not enough: ")
    assert "batch_size is 4, k1 600, k2 600, hidden_size 64 in 2 layers" in ended.stderr
    assert (tmp_path / "run/state/last.safetensors").exists()
