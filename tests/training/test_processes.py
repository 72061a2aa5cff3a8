"""Several processes in one run: the same gradient, files and stops as one. They are started by torchrun, over gloo."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import torch
from accelerate import Accelerator
from spread import TORCHRUN, TWO, distance, environment, ostinato, same_bits

from ostinato import ConfigError
from ostinato.training.config import ReservoirRun, Training
from ostinato.training.devices import is_follower, make_accelerator
from ostinato.training.gradient.rows import joined, rows_of, rows_of_state
from ostinato.training.processes import Processes, others_lost
from ostinato.training.progress import Silent
from ostinato.training.reservoir import train
from ostinato.training.run_folder import read_tensors

TEXT = [
    "train", "language-model", "book.txt", "--hidden-size", "16", "--num-layers", "2", "--batch-size", "4",
    "--k1", "16", "--validate-every", "6", "--sample-length", "10", "--dropout", "0", "--threads", "1",
    "--engine", "vendor", "--tracker", "none",
]  # fmt: skip
TASK = [
    "train", "task", "embedded-reber", "--hidden-size", "8", "--batch-size", "4", "--steps", "8", "--validate-every",
    "4", "--test-sequences", "40", "--threads", "1", "--engine", "eager", "--tracker", "none",
]  # fmt: skip
pytestmark = pytest.mark.timeout(900)  # several programs are started one after the other
WEIGHTS, LAST = "model.safetensors", "state/last.safetensors"


@pytest.fixture
def folder(text) -> Path:
    """Return a folder with the text `book.txt`."""
    return text.parent


@pytest.fixture(scope="module")
def far() -> dict[str, float]:
    """Return how far gradients of two processes are from those of one, by method."""
    script = Path(__file__).with_name("shared_gradients.py")
    ended = subprocess.run(
        [*TORCHRUN, *TWO, str(script)], env=environment(), capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    "name", ["truncated", "full", "randomized", "checkpointed", "rtrl", "snap", "snap-2", "e-prop", "uneven"]
)
def test_the_gradient_of_two_processes_is_that_of_one(far, name):
    assert far[name] < 1e-12


def test_a_text_learned_in_two_processes_gives_the_run_of_one(folder):
    one = ostinato(folder, [], *TEXT, "--steps", "12", "--out", "one")
    two = ostinato(folder, TWO, *TEXT, "--steps", "12", "--out", "two")
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert distance(folder / "one", folder / "two", WEIGHTS) < 1e-6
    assert distance(folder / "one", folder / "two", LAST) < 1e-6
    assert two.stdout.count("Done: 12 steps") == 1
    assert "in 2 processes, 2 lanes each" in two.stdout
    files = [{p.relative_to(folder / run) for p in (folder / run).rglob("*")} for run in ("one", "two")]
    assert files[0] == files[1]
    assert len((folder / "two/metrics.jsonl").read_text().splitlines()) == 2


def test_a_task_whose_rows_count_differently_gives_the_run_of_one(folder):
    one = ostinato(folder, [], *TASK, "--out", "one")
    two = ostinato(folder, TWO, *TASK, "--out", "two")
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert distance(folder / "one", folder / "two", LAST) < 1e-6


def test_a_run_goes_on_in_another_number_of_processes(folder):
    for launcher, steps in ((TWO, "4"), ([], "8"), (TWO, "12")):
        again = [] if steps == "4" else ["--resume"]
        limits = ["--steps", steps, "--final-fraction", "1", "--warmup", "0"]
        ended = ostinato(folder, launcher, *TEXT, *limits, "--out", "parts", *again)
        assert ended.returncode == 0, ended.stderr
    constant = ["--steps", "12", "--final-fraction", "1", "--warmup", "0"]
    assert ostinato(folder, [], *TEXT, *constant, "--out", "whole").returncode == 0
    assert distance(folder / "whole", folder / "parts", LAST) < 1e-6


def test_a_run_of_two_processes_with_dropout_goes_on_to_the_same_bits(folder):
    settings = [*TEXT, "--dropout", "0.3", "--final-fraction", "1", "--warmup", "0"]
    assert ostinato(folder, TWO, *settings, "--steps", "12", "--out", "whole").returncode == 0
    assert ostinato(folder, TWO, *settings, "--steps", "7", "--out", "parts").returncode == 0
    assert ostinato(folder, TWO, *settings, "--steps", "12", "--out", "parts", "--resume").returncode == 0
    assert same_bits(folder / "whole", folder / "parts", LAST)


def started(folder: Path, out: str) -> tuple[subprocess.Popen, dict[int, psutil.Process]]:
    """Start a long run of two processes; return it once it has validated, and its processes by rank."""
    command = [*TORCHRUN, *TWO, "-m", "ostinato.cli", *TEXT, "--steps", "1000000", "--out", out]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (folder / out / LAST).exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children()
    return process, {int(w.environ()["RANK"]): w for w in workers if "RANK" in w.environ()}


def again(folder: Path) -> list[str]:
    """Return what to type for three steps more."""
    taken = read_tensors(folder / "run" / LAST)[1]["counters"]["step"]
    return [*TEXT, "--out", "run", "--resume", "--steps", str(taken + 3)]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stop_of_one_process_stops_all_and_saves(folder, rank):
    process, workers = started(folder, "run")
    workers[rank].send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "everything is saved. To go on:" in out
    assert ostinato(folder, [], *again(folder)).returncode == 0


def test_a_process_that_is_killed_ends_the_run_and_the_checkpoint_stays(folder):
    process, workers = started(folder, "run")
    workers[1].kill()
    _, err = process.communicate(timeout=200)
    assert process.returncode != 0
    assert "another process of this run has ended" in err or "Traceback" not in err
    assert not workers[0].is_running()
    assert ostinato(folder, [], *again(folder)).returncode == 0


def test_two_machines_that_share_a_folder_make_one_run(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    nodes = [
        subprocess.Popen(
            [
                *TORCHRUN, "--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1", "--master-addr",
                "127.0.0.1", "--master-port", port, "-m", "ostinato.cli", *TEXT, "--steps", "12", "--out", "two",
            ],
            cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = [node.communicate(timeout=200) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert "Done: 12 steps" in said[0][0]
    assert said[1][0] == ""
    assert ostinato(folder, [], *TEXT, "--steps", "12", "--out", "one").returncode == 0
    assert distance(folder / "one", folder / "two", LAST) < 1e-6


def as_if_in(monkeypatch, count: int, rank: int = 0) -> None:
    for name, value in (("WORLD_SIZE", count), ("LOCAL_RANK", rank), ("RANK", rank)):
        monkeypatch.setenv(name, str(value))


def test_rows_that_cannot_be_shared_evenly_are_refused(monkeypatch, tmp_path):
    as_if_in(monkeypatch, 3)
    with pytest.raises(ConfigError, match=r"--batch-size: 32 rows for 3 processes.*Use a multiple of 3"):
        make_accelerator(Training(), tmp_path)


@pytest.mark.parametrize("name", ["uoro", "kf-rtrl"])
def test_a_method_that_draws_for_all_rows_at_once_is_refused(monkeypatch, tmp_path, name):
    as_if_in(monkeypatch, 2)
    with pytest.raises(ConfigError, match=rf"--gradient: {name} in 2 processes.*truncated, full, randomized"):
        make_accelerator(Training(gradient=name), tmp_path)


def test_a_process_follows_where_another_is_the_first(monkeypatch):
    assert not is_follower()
    as_if_in(monkeypatch, 2, rank=1)
    assert is_follower()


def test_one_process_alone_waits_for_nobody():
    alone = Processes(Accelerator(cpu=True))
    state = (torch.ones(3, 2),)
    assert alone.most(15, 2) == (15, 2)
    assert alone.told({"nats": 2.0}) == {"nats": 2.0}
    assert alone.first_found(None) is None
    assert alone.gathered(state) is state
    assert alone.share(6) == (0, 6)


def test_states_cut_into_rows_are_joined_again():
    state = (torch.arange(12.0).view(4, 3), (torch.arange(4.0).view(4, 1),))
    again = joined([rows_of_state(state, 0, 1), rows_of_state(state, 1, 4)])
    assert torch.equal(again[0], state[0])
    assert torch.equal(again[1][0], state[1][0])
    assert joined([None, None]) is None


def test_rows_of_a_segment_are_taken_by_their_dimension():
    from ostinato.data.tasks import TASKS

    drawn = TASKS["embedded-reber"](9).draw(5, torch.Generator().manual_seed(0))
    part = rows_of(drawn, 2, 4)
    assert torch.equal(part.inputs, drawn.inputs[:, 2:4])
    assert torch.equal(part.lengths, drawn.lengths[2:4])


def test_a_reservoir_is_fitted_in_one_process(monkeypatch, tmp_path):
    as_if_in(monkeypatch, 2)
    with pytest.raises(ConfigError, match="2 processes were started"):
        train(ReservoirRun(out=tmp_path / "run"), Silent())


def test_another_fault_is_not_taken_for_a_lost_process():
    with pytest.raises(RuntimeError, match="not that"), others_lost(Processes(Accelerator(cpu=True)), Path("run")):
        raise RuntimeError("Broken pipe, but not that")
