"""Clipping by name: each way beside its definition in plain arithmetic, its count, and limits that cannot be."""

import json
from math import hypot

import pytest
import torch

from ostinato import ConfigError, Recurrent
from ostinato.training.clipping import SMALLEST_NORM, WAYS, make_clip
from ostinato.training.config import Learning
from ostinato.training.language_model import train_language_model
from ostinato.training.opening import load
from ostinato.training.run_folder import read_tensors
from ostinato.training.sequence_task import train_task


def weights() -> list[torch.nn.Parameter]:
    """Return a matrix of gradient norm 5, a vector of gradient norm 12, and one without a gradient."""
    matrix, vector, still = (torch.nn.Parameter(torch.ones(*shape)) for shape in ((2, 2), (2,), (3,)))
    matrix.grad = torch.tensor([[3.0, 0.0], [0.0, -4.0]])
    vector.grad = torch.tensor([0.0, 12.0])
    return [matrix, vector, still]


def clipped(way: str, **limits) -> tuple[list[list], float, bool]:
    parameters = weights()
    norm, beyond = make_clip(Learning(clip=way, **limits))(parameters)
    return [p.grad.tolist() for p in parameters if p.grad is not None], float(norm), bool(beyond)


def test_by_norm_all_numbers_shrink_by_the_same_factor():
    found, norm, beyond = clipped("norm", clip_norm=6.5)
    assert found[0] == [pytest.approx([1.5, 0.0]), pytest.approx([0.0, -2.0])]
    assert found[1] == pytest.approx([0.0, 6.0])
    assert (norm, beyond) == (13.0, True)


def test_by_value_each_number_is_cut_at_the_limit():
    found, norm, beyond = clipped("value", clip_value=3.5)
    assert found == [[[3.0, 0.0], [0.0, -3.5]], [0.0, 3.5]]
    assert (norm, beyond) == (13.0, True)


def test_by_parameter_each_shrinks_by_itself():
    found, norm, beyond = clipped("parameter", clip_norm=6.0)
    assert found[0] == [[3.0, 0.0], [0.0, -4.0]]
    assert found[1] == pytest.approx([0.0, 6.0])
    assert (norm, beyond) == (13.0, True)


def test_adaptive_each_row_shrinks_beside_the_norm_of_its_weights():
    found, norm, beyond = clipped("adaptive", clip_ratio=2.5)
    row = hypot(1, 1)  # of weights: 2.5 * 1.414 = 3.54 lies between 3 and 4
    assert found[0] == [pytest.approx([3.0, 0.0]), pytest.approx([0.0, -2.5 * row])]
    assert found[1] == pytest.approx([0.0, 2.5 * row])
    assert (norm, beyond) == (13.0, True)


def test_adaptive_takes_weights_of_zero_for_so_large_that_they_learn():
    parameter = torch.nn.Parameter(torch.zeros(1, 2))
    parameter.grad = torch.tensor([[0.0, 1.0]])
    make_clip(Learning(clip="adaptive", clip_ratio=0.5))([parameter])
    assert parameter.grad.tolist() == [pytest.approx([0.0, 0.5 * SMALLEST_NORM])]


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_within_the_limit_is_left_to_the_bit_as_it_is(way):
    limits = {"value": {"clip_value": 100.0}, "adaptive": {"clip_ratio": 100.0}}.get(way, {"clip_norm": 100.0})
    found, norm, beyond = clipped(way, **limits)
    assert found == [[[3.0, 0.0], [0.0, -4.0]], [0.0, 12.0]]
    assert (norm, beyond) == (13.0, False)


@pytest.mark.parametrize("without", [{"clip": "none"}, {"clip_norm": None}])
def test_without_a_limit_nothing_is_clipped(without):
    parameters = weights()
    norm, beyond = make_clip(Learning(**without))(parameters)
    assert parameters[1].grad.tolist() == [0.0, 12.0]
    assert (float(norm), bool(beyond)) == (13.0, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_that_is_no_number_keeps_its_norm_no_number(way):
    parameters = weights()
    parameters[0].grad[0, 0] = torch.nan
    assert make_clip(Learning(clip=way))(parameters)[0].isnan()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clip": "normal"}, "Did you mean 'norm'?"),
        ({"clip_norm": 0.0}, "--clip-norm: clip_norm is 0.0. It is greater than 0"),
        ({"clip": "parameter", "clip_norm": -1.0}, "--clip-norm: clip_norm is -1.0"),
        ({"clip": "value", "clip_value": 0.0}, "--clip-value: clip_value is 0.0. It is greater than 0"),
        ({"clip": "adaptive", "clip_ratio": -0.1}, "--clip-ratio: clip_ratio is -0.1. It is greater than 0"),
        ({"clip_value": 0.5}, "0.5 beside --clip norm. It limits --clip value. Add --clip value, or leave it out"),
        ({"clip": "none", "clip_ratio": 0.5}, "0.5 beside --clip none. It limits --clip adaptive"),
    ],
)
def test_a_limit_that_cannot_be_or_that_does_nothing_is_refused(settings, said):
    with pytest.raises(ConfigError) as caught:
        make_clip(Learning(**settings))
    assert said in str(caught.value)


@pytest.mark.parametrize("way", [{"clip_norm": 1e-3}, {"clip": "value", "clip_value": 1e-6}, {"clip": "adaptive"}])
def test_the_clipped_steps_of_a_run_are_counted_and_saved(tmp_path, text, small, way):
    outcome = train_language_model(text, out=tmp_path / "run", **small | way)
    lines = [json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()]
    assert (outcome.clipped, [line["clipped_steps"] for line in lines]) == (12, [6, 12])
    _, facts = read_tensors(outcome.folder / "state" / "last.safetensors")
    assert facts["counters"]["clipped"] == 12


def test_a_run_that_goes_on_counts_on(tmp_path, text, small):
    train_language_model(text, out=tmp_path / "run", **small | {"clip_norm": 1e-3})
    again = train_language_model(out=tmp_path / "run", resume=True, steps=15, progress=False)
    assert again.clipped == 15


def test_a_task_is_clipped_by_the_same_settings(tmp_path):
    settings = {"length": 8, "hidden_size": 8, "steps": 6, "test_sequences": 20, "threads": 1, "progress": False}
    outcomes = [train_task("adding", out=tmp_path / way, clip=way, **settings) for way in ("parameter", "none")]
    assert [outcome.clipped for outcome in outcomes] == [6, 0]


def test_a_wrong_limit_leaves_no_folder(tmp_path, text, small):
    with pytest.raises(ConfigError, match="clip_value is 0"):
        train_language_model(text, out=tmp_path / "run", **small | {"clip": "value", "clip_value": 0.0})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["state", "pre-activation"])
def test_the_gradient_inside_the_recurrence_is_cut_by_a_setting_of_the_model(tmp_path, text, small, place):
    cut = {"clip_inside": 1e-12, "clip_inside_at": place, "cell": "elman"}
    plain = train_language_model(text, out=tmp_path / "plain", **small | {"cell": "elman"})
    clipped = train_language_model(text, out=tmp_path / "cut", **small | cut)
    assert plain.best != clipped.best
    assert load(clipped.folder).run.model.clip_inside_at == place


def test_the_gradient_of_early_steps_is_lost_where_the_recurrence_lets_none_through():
    torch.manual_seed(0)
    inputs = torch.randn(6, 2, 3, requires_grad=True)
    outputs, _ = Recurrent("elman", 3, 4, clip_inside=1e-6)(inputs)
    outputs[-1].sum().backward()
    assert inputs.grad[-1].abs().max() > 1e-2
    assert inputs.grad[:-1].abs().max() < 1e-5


def test_a_place_that_is_none_is_refused(tmp_path, text, small):
    with pytest.raises(ConfigError, match="It is one of state, pre-activation"):
        train_language_model(text, out=tmp_path / "run", **small | {"clip_inside": 1.0, "clip_inside_at": "gate"})
    with pytest.raises(ConfigError, match="A number above 0"):
        train_language_model(text, out=tmp_path / "run", **small | {"clip_inside": -1.0})
