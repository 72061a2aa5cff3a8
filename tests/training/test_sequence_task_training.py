"""Training on a synthetic task: a whole run, its folder, stopping when solved, going on, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch

from ostinato import ConfigError, RunError
from ostinato.training import config
from ostinato.training.config import TaskRun
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
