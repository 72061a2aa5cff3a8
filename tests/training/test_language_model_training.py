"""Training a language model from Python: what the run holds, how it goes on, what it refuses."""

import json
import math

import pytest
import torch
import yaml
from safetensors.torch import load_file

from ostinato import ConfigError, DataError, RunError
from ostinato.training.horizon import FIGURES
from ostinato.training.language_model import train_language_model
from ostinato.training.meter import NonFiniteError
from ostinato.training.trained import open_language_model as load

TIMED = {"seconds", *FIGURES}


def tensors(run, name: str) -> dict[str, torch.Tensor]:
    return load_file(run / name)


def assert_same(one, other, name: str) -> None:
    left, right = tensors(one, name), tensors(other, name)
    assert left.keys() == right.keys()
    assert [key for key in left if not torch.equal(left[key], right[key])] == []


def metrics(run) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]


def test_a_run_holds_all_that_it_needs(tmp_path, text, small):
    outcome = train_language_model(text, out=tmp_path / "run", tracker="none", **small)
    names = {p.name for p in outcome.folder.iterdir()}
    assert names == {"config.yaml", "model.safetensors", "tokenizer.json", "metrics.jsonl", "README.md", "state"}
    assert {p.name for p in (outcome.folder / "state").iterdir()} == {"last.safetensors", "lock", "tokens"}
    assert [line["step"] for line in metrics(outcome.folder)] == [6, 12]
    assert (outcome.step, outcome.steps, outcome.stopped) == (12, 12, None)


def test_the_settings_written_are_resolved(tmp_path, text, small):
    outcome = train_language_model(text, out=tmp_path / "run", **small)
    written = yaml.safe_load((outcome.folder / "config.yaml").read_text())
    assert written["training"]["learning_rate"] == 2e-3
    assert written["training"]["warmup"] == 1
    assert written["model"]["cell"] == "lstm"


def test_the_model_card_says_equations_sizes_and_scores(tmp_path, text, small):
    outcome = train_language_model(text, out=tmp_path / "run", **small)
    card = (outcome.folder / "README.md").read_text()
    assert "h' = o * tanh(c')" in card
    assert f"| nats a symbol | {outcome.best:.4f} |" in card
    assert "book.txt" in card


def test_a_run_learns(tmp_path, text, small):
    outcome = train_language_model(text, out=tmp_path / "run", **small | {"steps": 150, "learning_rate": 1e-2})
    lines = metrics(outcome.folder)
    assert lines[-1]["valid_nats"] < 0.75 * lines[0]["valid_nats"]


def test_two_runs_of_one_seed_are_the_same(tmp_path, text, small):
    one = train_language_model(text, out=tmp_path / "one", dropout=0.3, **small).folder
    other = train_language_model(text, out=tmp_path / "other", dropout=0.3, **small).folder
    assert_same(one, other, "model.safetensors")


@pytest.mark.parametrize(
    "more",
    [
        {"dropout": 0.3, "num_layers": 2},
        {"cell": "gru", "optimizer": "rmsprop"},
        {"cell": "h' = tanh(W @ x + U @ h + b)", "optimizer": "adagrad", "tokens": "byte"},
        {"optimizer": "sgd", "initial_state": "learned", "tied": True},
        {"tokens": "bpe", "vocabulary_size": 270},
        {"optimizer": "sgd", "momentum": 0.9, "schedule": "plateau", "patience": 0, "validate_every": 3},
        {"optimizer": "nadam", "betas": (0.8, 0.9), "rates": {"*.weight_hh": 0.1}, "clip": "adaptive"},
        {"average": "ema", "average_decay": 0.8},
        {"average": "nt-asgd", "average_patience": 1, "validate_every": 1, "optimizer": "sgd", "learning_rate": 9.0},
        {"gradient": "full"},
        {"k1": 4, "k2": 10},
        {"gradient": "randomized", "spacing": 2},
        {"gradient": "uoro", "dropout": 0.0},
        {"accumulate": 3, "dropout": 0.3},
    ],
)
def test_a_run_stopped_and_resumed_ends_with_the_same_bits(tmp_path, text, small, more, monkeypatch):
    whole = train_language_model(text, out=tmp_path / "whole", **small | more).folder
    _stop_after(monkeypatch, step=7)
    stopped = train_language_model(text, out=tmp_path / "cut", **small | more)
    assert stopped.step == 7
    monkeypatch.undo()
    again = train_language_model(out=tmp_path / "cut", resume=True, progress=False)
    assert again.step == 12
    assert_same(whole, again.folder, "model.safetensors")
    assert_same(whole, again.folder, "state/last.safetensors")
    assert metrics(whole) == metrics(again.folder)


def _stop_after(monkeypatch, step: int) -> None:
    """Let a stop signal arrive during `step`."""
    import signal

    from ostinato.training.loop import Loop

    learn = Loop._learn

    def learn_and_stop(self, window):
        learn(self, window)
        if self.counters.step == step:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Loop, "_learn", learn_and_stop)


def test_documents_of_jsonl_are_learned_and_end(tmp_path, small):
    path = tmp_path / "poems.jsonl"
    path.write_text("".join(json.dumps({"text": f"poem {n} is short"}) + "\n" for n in range(200)))
    outcome = train_language_model(path, out=tmp_path / "run", **small)
    assert math.isfinite(outcome.best)


def test_a_second_file_may_be_the_validation(tmp_path, text, small):
    other = tmp_path / "valid.txt"
    other.write_text("the time traveller said nothing more of it " * 20)
    outcome = train_language_model(text, out=tmp_path / "run", validation=str(other), **small)
    assert metrics(outcome.folder)[-1]["valid_symbols"] == 860


def test_a_run_may_grow_longer(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small)
    outcome = train_language_model(out=tmp_path / "run", resume=True, steps=20, progress=False)
    assert (outcome.step, [line["step"] for line in metrics(outcome.folder)]) == (20, [6, 12, 18, 20])


def test_a_run_may_grow_by_epochs(tmp_path, text, small):
    began = train_language_model(text, out=tmp_path / "run", **small)
    outcome = train_language_model(out=tmp_path / "run", resume=True, epochs=5, progress=False)
    assert outcome.step == outcome.steps > began.steps


def test_an_end_behind_the_run_is_refused_and_nothing_changes(tmp_path, text, small):
    folder = train_language_model(text, out=tmp_path / "run", **small).folder
    before = (folder / "config.yaml").read_text()
    with pytest.raises(RunError, match="the run has taken 12 steps, and is to end after 10"):
        train_language_model(out=folder, resume=True, steps=10, progress=False)
    assert (folder / "config.yaml").read_text() == before


def test_a_contradicting_setting_is_named_with_both_values(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small)
    with pytest.raises(RunError, match="hidden_size is 32 now, the run began with 16"):
        train_language_model(out=tmp_path / "run", resume=True, hidden_size=32, progress=False)


def test_a_text_that_has_changed_is_refused(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small)
    text.write_text(text.read_text() + "more")
    with pytest.raises(RunError, match="the run began with"):
        train_language_model(out=tmp_path / "run", resume=True, progress=False)


def test_a_text_that_is_gone_is_not_needed_to_go_on(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small)
    text.unlink()
    assert train_language_model(out=tmp_path / "run", resume=True, steps=14, progress=False).step == 14


def test_a_damaged_checkpoint_is_named(tmp_path, text, small):
    folder = train_language_model(text, out=tmp_path / "run", **small).folder
    last = folder / "state" / "last.safetensors"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"last\.safetensors: damaged"):
        train_language_model(out=tmp_path / "run", resume=True, steps=20, progress=False)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_best(tmp_path, text, small):
    wild = small | {"optimizer": "sgd", "learning_rate": 1e30, "clip_norm": None, "warmup": 0, "cell": "elman-relu"}
    with pytest.raises(NonFiniteError, match=r"^step \d+: the (loss|gradient norm) is (nan|inf)"):
        train_language_model(text, out=tmp_path / "run", **wild)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": -3},
        {"k1": 0},
        {"k1": -1},
        {"k1": 100_000},
        {"batch_size": 100_000},
        {"k2": 0},
        {"steps": 0},
        {"epochs": -1},
        {"hidden_size": 0},
        {"hidden_size": -4},
        {"num_layers": 0},
        {"embedding_size": -1},
        {"dropout": 1.5},
        {"learning_rate": -1},
        {"clip_norm": 0},
        {"weight_decay": -1},
        {"warmup": -1},
        {"final_fraction": 2},
        {"sample_length": -1},
        {"validate_every": 0},
        {"threads": 0},
        {"validation": "0"},
        {"validation": "1.5"},
        {"vocabulary_size": 3},
        {"cell": "lstn"},
        {"engine": "vendr"},
        {"device": "cuda"},
        {"precision": "fp16"},
        {"hiden_size": 3},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_and_nothing_is_left(tmp_path, text, small, wrong):
    if wrong.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ConfigError, DataError)):
        train_language_model(text, out=tmp_path / "run", **small | wrong)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_callers_random_numbers_and_threads_are_left_alone(tmp_path, text, small):
    threads, before = torch.get_num_threads(), torch.get_rng_state()
    train_language_model(text, out=tmp_path / "run", **small)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_run_that_stands_elsewhere_still_opens(tmp_path, text, small):
    folder = train_language_model(text, out=tmp_path / "run", **small).folder
    moved = folder.rename(tmp_path / "moved")
    assert load(moved).evaluate(text)["symbols"] == len(text.read_text())
