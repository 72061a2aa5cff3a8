"""The gradient horizon while a model learns: shown, kept, warned of, and without effect on what is learned."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

import ostinato
from ostinato.data.lanes import Segment
from ostinato.models.language_model import LanguageModel
from ostinato.training import horizon
from ostinato.training.config import Training
from ostinato.training.horizon import Horizon, Probe, measured
from ostinato.training.sequence_task import train_task

TEXT = "to be or not to be that is the question " * 200


class Stream:
    """Rows that count upwards."""

    rows, length = 3, 500

    def begin(self, reading):
        pass

    def part(self, first, last):
        assert first == 0
        assert last >= self.rows
        return self

    def segment(self, position, length):
        symbols = (torch.arange(position, position + length + 1)[:, None] + torch.arange(self.rows)) % 7
        return Segment(symbols[:-1], symbols[1:], None)


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def settings(**changes):
    return Training(**{"k1": 16, **changes})


def keeps_all():
    """Return a model whose gradients keep their norm: a linear network of an orthogonal matrix."""
    torch.manual_seed(0)
    model = LanguageModel(7, "h' = U @ h + W @ x", hidden_size=6, num_layers=1)
    with torch.no_grad():
        cell = model.recurrent.layers[0][0]
        cell.U.copy_(torch.linalg.qr(torch.randn(6, 6))[0])
    return model


def looked(model, training, times=2):
    said = []
    probe = Probe(model, Stream(), training, said.append)
    for step in range(times):
        probe._rests_until = 0.0
        probe.look(model, step, torch.device("cpu"))
    return probe, said


def test_a_run_shows_and_keeps_the_horizon(text, tmp_path, capfd):
    settings = {"steps": 6, "validate_every": 3, "hidden_size": 16, "sample_length": 0}
    ostinato.train_language_model(text, out=tmp_path / "run", **settings)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert 1 <= lines[-1]["gradient_horizon"] <= lines[-1]["horizon_window"]
    assert lines[-1]["gradient_left"] < 0.01
    shown = capfd.readouterr().out
    assert " horizon " in shown
    assert f" {lines[0]['gradient_horizon']} " in shown


def test_the_end_of_a_run_says_how_far_gradients_reach_then_and_as_it_began(tmp_path):
    outcome = train_task("adding", length=30, out=tmp_path / "run", steps=3, validate_every=3, progress=False)
    assert re.fullmatch(r">?\d+ steps \(>?\d+ at step 0\)", outcome.horizon)


def test_what_is_learned_does_not_depend_on_it(text, tmp_path):
    weights = []
    for is_on in (True, False):
        out = tmp_path / f"{is_on}"
        ostinato.train_language_model(
            text,
            out=out,
            steps=4,
            hidden_size=8,
            dropout=0.5,
            gradient_horizon=is_on,
            sample_length=0,
            progress=False,
        )
        weights.append(load_file(out / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_without_it_nothing_is_said_of_it(text, tmp_path, capfd):
    ostinato.train_language_model(
        text, out=tmp_path / "run", steps=2, hidden_size=8, gradient_horizon=False, sample_length=0
    )
    assert "horizon" not in capfd.readouterr().out
    assert "horizon" not in (tmp_path / "run" / "metrics.jsonl").read_text()


@pytest.mark.parametrize("steps", [300, 3000])
def test_all_looks_together_cost_at_most_a_fiftieth_of_the_time(monkeypatch, steps):
    clock, looked_at = Clock(), []

    def measured(model, batch, step):
        clock.now += 0.3
        looked_at.append(step)
        return Horizon(step, 5, 63, 0.0, 1.0)

    monkeypatch.setattr(horizon, "time", clock)
    monkeypatch.setattr(horizon, "measured", measured)
    probe = Probe(keeps_all(), Stream(), settings(), print)
    for step in range(steps):
        clock.now += 0.1
        probe.look(None, step, torch.device("cpu"))
    probe.last(None, steps, torch.device("cpu"))
    assert looked_at[0] == 0
    assert looked_at[-1] == steps
    assert 0.015 * 0.1 * steps <= 0.3 * len(looked_at) <= 0.02 * 0.1 * steps


def test_a_horizon_beyond_k2_is_warned_of_once():
    probe, said = looked(keeps_all(), settings(k1=16), times=4)
    assert str(probe.horizon) == ">63"
    assert len(said) == 1
    assert "gradients reach >63 steps back, and are cut after k2 = 16" in said[0]
    assert "--k2 63" in said[0]


def test_a_horizon_within_k2_and_whole_gradients_are_not_warned_of():
    torch.manual_seed(0)
    assert looked(LanguageModel(7, "gru", hidden_size=6), settings(k1=64))[1] == []
    assert looked(keeps_all(), settings(gradient="full"))[1] == []


def test_gradients_that_explode_are_warned_of():
    model = keeps_all()
    with torch.no_grad():
        model.recurrent.layers[0][0].U.mul_(1.5)
        model.recurrent.layers[0][0].W.zero_()  # which keeps the state itself small
    _, said = looked(model, settings(gradient="full"))
    assert "grow more than a million-fold on their way 499 steps back: they explode" in said[0]


@pytest.mark.parametrize("model", [torch.nn.Linear(2, 2)])
def test_a_model_without_recurrence_is_left_alone(model):
    probe, said = looked(model, settings())
    assert probe.shown() is None
    assert probe.figures() == {}
    assert said == []


def test_a_batch_that_no_gradient_comes_from_ends_the_looking():
    model = keeps_all()
    model.scores.weight.data.zero_()
    assert measured(model, Stream().segment(0, 20), 1) is None
    probe, _ = looked(model, settings())
    assert probe.shown() is None


def test_a_look_that_torch_refuses_is_said_once_and_ends_no_run():
    model = keeps_all()
    model.scores.register_forward_hook(lambda *_: torch.ones(3) @ torch.ones(4))
    probe, said = looked(model, settings(), times=3)
    assert probe.shown() is None
    assert len(said) == 1
    assert "note    the gradient horizon is not measured: " in said[0]


@pytest.mark.parametrize(("back", "beyond"), [(None, True), (20, True), (16, False)])
def test_reaching_beyond(back, beyond):
    assert Horizon(1, back, 64, 0.5, 1.0).reaches_beyond(16) is beyond
