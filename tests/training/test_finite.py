"""Losses and gradients that are not finite: the fault named, the update left out, the last checkpoint kept."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ostinato.data.lanes import Segment
from ostinato.models.language_model import LanguageModel
from ostinato.training.finite import Attempt, refuse_bad_weights, trace, unspoilt
from ostinato.training.gradient import Full, Truncated
from ostinato.training.gradient.method import whole
from ostinato.training.language_model import train_language_model
from ostinato.training.loop import Loop
from ostinato.training.meter import NonFiniteError
from ostinato.training.sequence_task import train_task

SPOILT = 2


class Spoilt:
    """Makes the loss, or the gradient of one parameter, not finite at some steps of training."""

    def __init__(self, monkeypatch, at: set[int], how: str):
        self.step, self.how = 0, how
        loss, learn = LanguageModel.loss, Loop._learn

        def learn_and_tell(loop, window):
            self.step = loop.counters.step + 1
            learn(loop, window)

        def spoilt(model, segment, state=None):
            nats, count, after = loss(model, segment, state)
            if not model.training:
                return nats, count, after
            return (self.spoil(model, nats) if self.step in at else nats), count, after

        monkeypatch.setattr(Loop, "_learn", learn_and_tell)
        monkeypatch.setattr(LanguageModel, "loss", spoilt)

    def spoil(self, model, nats: Tensor) -> Tensor:
        if self.how == "loss":
            return nats * math.nan
        weight = model.scores.bias
        return nats + (weight - weight.detach()).sqrt().sum()  # zero, and its slope infinite


def metrics(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def model_and_attempt(row: int):
    """Return a model, and an attempt in which one row's state is not finite."""
    torch.manual_seed(0)
    model = LanguageModel(7, "gru", hidden_size=5, num_layers=1, dropout=0.3, engine="eager")
    symbols = torch.randint(0, 7, (9, 4))
    (state,) = model.initial_state(4)
    state = state.clone()
    state[row, 1] = math.nan
    return model, Attempt(Segment(symbols[:-1], symbols[1:], None), whole(8, 32), (state,), torch.get_rng_state())


@pytest.mark.parametrize("method", [Full(), Truncated(8, 8)])
def test_the_row_and_the_parameter_at_fault_are_named(method):
    model, attempt = model_and_attempt(row=SPOILT)
    fault = trace(method, model, attempt, Tensor.backward, torch.tensor(math.nan), torch.tensor(math.nan))
    assert fault.row == SPOILT
    assert fault.parameter == next(name for name, _ in model.named_parameters())
    assert f"the loss is nan (lane {SPOILT}, steps 32 to 39" in fault.described("lane")


def test_tracing_leaves_no_gradient_and_the_random_numbers_as_they_were():
    model, attempt = model_and_attempt(row=SPOILT)
    torch.rand(3)
    before = torch.get_rng_state()
    trace(Full(), model, attempt, Tensor.backward, torch.tensor(math.nan), torch.tensor(math.nan))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in model.parameters())


def test_a_state_is_spoilt_by_one_number():
    state = (torch.ones(2, 3), (torch.ones(2, 1),))
    assert unspoilt(state) is state
    state[1][0][0] = math.inf
    assert unspoilt(state) is None


def test_weights_that_are_not_finite_are_named():
    linear = torch.nn.Linear(2, 2)
    refuse_bad_weights(linear, 3)
    linear.bias.data[1] = math.inf
    with pytest.raises(NonFiniteError, match="step 3: bias is not finite"):
        refuse_bad_weights(linear, 3)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("loss", r"the loss is nan \(lane 0, steps \d+ to \d+, the first"),
        ("gradient", r"the gradient norm is (inf|nan) \("),
    ],
)
def test_a_run_stops_at_the_step_and_the_weights_stay_good(tmp_path, text, small, monkeypatch, how, said):
    Spoilt(monkeypatch, {9}, how)
    with pytest.raises(NonFiniteError, match=rf"^step 9: {said}.*The checkpoint of step 6 is kept.*--on-nan skip"):
        train_language_model(text, out=tmp_path / "run", **small)
    last = load_file(tmp_path / "run/state/last.safetensors")
    assert all(bool(torch.isfinite(t).all()) for name, t in last.items() if name.startswith(("model/", "state/")))


def test_the_parameter_whose_gradient_overflows_is_named(tmp_path, text, small, monkeypatch):
    Spoilt(monkeypatch, {9}, "gradient")
    with pytest.raises(NonFiniteError, match=r"the first gradient that is not finite is that of scores\.bias"):
        train_language_model(text, out=tmp_path / "run", **small)


@pytest.mark.parametrize("how", ["loss", "gradient"])
def test_a_run_that_skips_goes_on_without_those_updates_and_counts_them(tmp_path, text, small, monkeypatch, how):
    Spoilt(monkeypatch, {4, 12}, how)
    outcome = train_language_model(text, out=tmp_path / "run", on_nan="skip", **small)
    assert (outcome.step, outcome.skipped) == (12, 2)
    assert [line["skipped_steps"] for line in metrics(tmp_path / "run")] == [1, 2]
    assert math.isfinite(metrics(tmp_path / "run")[-1]["train_nats"])


def test_an_update_left_out_changes_no_weight(tmp_path, text, small, monkeypatch):
    constant = small | {"final_fraction": 1.0, "warmup": 0}
    train_language_model(text, out=tmp_path / "three", **constant | {"steps": 3})
    Spoilt(monkeypatch, {4}, "loss")
    train_language_model(text, out=tmp_path / "four", on_nan="skip", **constant | {"steps": 4})
    three, four = (load_file(tmp_path / run / "state/last.safetensors") for run in ("three", "four"))
    assert [k for k in three if k.startswith("model/") and not torch.equal(three[k], four[k])] == []


def test_the_count_survives_a_resume(tmp_path, text, small, monkeypatch):
    Spoilt(monkeypatch, {4}, "loss")
    train_language_model(text, out=tmp_path / "run", on_nan="skip", **small)
    assert train_language_model(out=tmp_path / "run", resume=True, steps=14, progress=False).skipped == 1


def test_a_stopped_run_goes_on_by_skipping(tmp_path, text, small, monkeypatch):
    Spoilt(monkeypatch, {9}, "loss")
    with pytest.raises(NonFiniteError):
        train_language_model(text, out=tmp_path / "run", **small)
    outcome = train_language_model(out=tmp_path / "run", resume=True, on_nan="skip", progress=False)
    assert outcome.step == 12


def test_a_task_names_the_sequence(tmp_path):
    settings = {"length": 8, "hidden_size": 8, "batch_size": 4, "steps": 400, "threads": 1, "cell": "elman-relu"}
    with pytest.raises(NonFiniteError, match=r"^step \d+: the (loss|gradient norm) is (inf|nan).*sequence \d"):
        train_task("adding", out=tmp_path / "run", progress=False, optimizer="sgd", learning_rate=1e30,
                   clip_norm=None, **settings)  # fmt: skip


def test_where_the_device_is_not_waited_for_the_fault_is_named_later(tmp_path, text, small, monkeypatch):
    begin = Loop.__init__

    def begin_without_waiting(loop, *given):
        begin(loop, *given)
        loop.reads_at_once = False

    monkeypatch.setattr(Loop, "__init__", begin_without_waiting)
    Spoilt(monkeypatch, {9}, "gradient")
    said = r"^step 9: the gradient norm is (inf|nan) \(steps \d+ to \d+, .* is that of scores\.bias\)"
    with pytest.raises(NonFiniteError, match=said):
        train_language_model(text, out=tmp_path / "run", **small)
