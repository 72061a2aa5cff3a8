"""Training on a synthetic task: a whole run, its folder, stopping when solved, going on, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch

from ostinato import ConfigError, RunError
from ostinato.data.tasks import TASKS
from ostinato.models.sequence_task import SequenceTaskModel
from ostinato.training import config
from ostinato.training.config import TaskRun
from ostinato.training.gradient import METHODS
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors
from ostinato.training.sequence_task import train, train_task

SMALL = {
    "cell": "gru", "length": 8, "hidden_size": 8, "batch_size": 4, "steps": 12, "validate_every": 6,
    "test_sequences": 50, "threads": 1,
}  # fmt: skip


def run(folder, task="adding", **settings) -> TaskRun:
    made = config.override(TaskRun(), "test", {"task": task, **SMALL, **settings})
    return replace(made, out=folder)


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def test_a_run_leaves_a_folder_that_explains_itself(folder):
    outcome = train_task("adding", out=folder, progress=False, **SMALL)
    assert (outcome.step, outcome.solved) == (12, False)
    assert [line["sequences"] for line in lines(folder)] == [24, 48]
    assert outcome.metrics["mse"] == lines(folder)[-1]["valid_mse"]
    assert "cell: gru" in (folder / "config.yaml").read_text()
    assert "task `adding` of length 8" in (folder / "README.md").read_text()
    _, facts = read_tensors(folder / "model.safetensors", kind="task")
    assert facts["mse"] == outcome.best


def test_a_run_ends_when_the_task_is_solved(folder):
    outcome = train(run(folder, goal=100.0), Silent())
    assert (outcome.step, outcome.solved, outcome.stopped) == (6, True, None)


def test_learning_lowers_the_error(folder):
    outcome = train(run(folder, length=4, hidden_size=16, batch_size=16, steps=300, validate_every=300), Silent())
    assert outcome.metrics["mse"] < 0.1


def test_a_run_that_goes_on_comes_to_the_same_bits(folder, tmp_path):
    other = tmp_path / "whole"
    train(run(folder, steps=6), Silent())
    train(replace(run(folder), resume=True), Silent())
    train(run(other), Silent())
    assert lines(folder)[-1]["valid_mse"] == lines(other)[-1]["valid_mse"]
    first, second = (read_tensors(f / "state" / "last.safetensors", kind="task")[0] for f in (folder, other))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(folder, tmp_path):
    outcomes = [train(run(tmp_path / str(k), seed=seed), Silent()).best for k, seed in enumerate((3, 3, 4))]
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_a_setting_that_contradicts_the_run_is_refused_when_it_goes_on(folder):
    train(run(folder), Silent())
    with pytest.raises(RunError, match="hidden_size is 9 now, the run began with 8"):
        train(replace(run(folder, hidden_size=9), resume=True), Silent())


def test_a_run_of_a_language_model_is_not_gone_on_with(folder):
    train(run(folder), Silent())
    with pytest.raises(RunError, match=r"holds a run of kind 'task'\. This command reads kind 'language-model'"):
        RunFolder(folder).read_config()


def test_a_number_where_a_symbol_starts_is_where_it_starts(folder):
    train(run(folder, cell="lstm-1997", starts={"b_i": -30.0}, learning_rate=1e-9, steps=1), Silent())
    tensors, _ = read_tensors(folder / "model.safetensors", kind="task")
    assert sum(int((tensor == -30.0).sum()) for tensor in tensors.values()) == 8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cell": "lstn"}, "Did you mean 'lstm'"),
        ({"length": 1}, "whole number from 2"),
        ({"steps": 0}, "greater than 0"),
        ({"test_sequences": 0}, "greater than 0"),
        ({"keywords": {"leek": 1.0}}, "unknown keyword 'leek'"),
        ({"starts": {"b_q": 1.0}}, "'b_q' is no parameter"),
    ],
)
def test_what_is_not_possible_is_refused_before_a_folder_exists(folder, settings, said):
    with pytest.raises(ConfigError, match=said):
        train(run(folder, **settings), Silent())
    assert not folder.exists()


# gradients over time

WINDOWS = {"gradient": "truncated", "k1": 3, "k2": 5}


@pytest.mark.parametrize("gradient", METHODS)
@pytest.mark.parametrize("task", ["copying", "embedded-reber"])
def test_every_gradient_method_learns_a_task(folder, task, gradient):
    settings = {"cell": "indrnn", "length": 12, "hidden_size": 4, "steps": 12, "spacing": 1, "k1": 4}
    outcome = train(run(folder, task, gradient=gradient, **settings), Silent())
    assert outcome.step == 12
    first, last = lines(folder)[0], lines(folder)[-1]
    assert last["valid_nats"] < first["valid_nats"]


def test_windows_of_a_sequence_learn_what_all_of_it_does(folder):
    settings = {"length": 4, "hidden_size": 16, "batch_size": 16, "steps": 600, "validate_every": 600}
    outcome = train(run(folder, gradient="truncated", k1=2, k2=4, **settings), Silent())
    assert outcome.metrics["mse"] < 0.1


def test_sequences_are_counted_when_they_end(folder):
    outcome = train(run(folder, **WINDOWS), Silent())
    assert outcome.step == 12
    assert outcome.read == 4 * 4  # 12 steps are 4 readings of 8 steps, 3 windows each


@pytest.mark.parametrize("gradient", ["truncated", "uoro", "randomized"])
def test_a_run_that_stops_within_its_sequences_comes_to_the_same_bits(folder, tmp_path, gradient):
    settings = {"cell": "indrnn", "k1": 3, "k2": 5, "spacing": 1, "gradient": gradient}
    other = tmp_path / "whole"
    train(run(folder, steps=7, **settings), Silent())
    train(replace(run(folder, **settings), resume=True), Silent())
    train(run(other, **settings), Silent())
    first, second = (read_tensors(f / "state" / "last.safetensors", kind="task")[0] for f in (folder, other))
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_rows_that_are_over_say_nothing_to_a_window():
    task = TASKS["embedded-reber"](length=20)
    sequences = task.draw(8, torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    network = SequenceTaskModel(task, "gru", hidden_size=3).double()
    sequences = sequences._replace(inputs=sequences.inputs.double())
    steps = len(sequences.inputs)
    assert int(sequences.lengths.min()) < steps - 3
    whole = network.loss(sequences)
    first = network.loss(sequences.steps(0, steps - 3))
    second = network.loss(sequences.steps(steps - 3, steps), first[2])
    assert first[1] + second[1] == whole[1] == network.count(sequences)
    torch.testing.assert_close(first[0] + second[0], whole[0])
    torch.testing.assert_close(second[2], whole[2])


def test_a_window_longer_than_the_sequences_is_refused_before_a_folder_exists(folder):
    with pytest.raises(ConfigError, match="k1 is 64, but a lane holds only 8 steps"):
        train(run(folder, gradient="truncated"), Silent())
    assert not folder.exists()
