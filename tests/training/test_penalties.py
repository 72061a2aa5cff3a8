"""AR and TAR beside their definitions, and penalties in a run: the gradient has them, the loss shown has not."""

import itertools
import json

import pytest
import torch
from torch import Tensor

from ostinato import ConfigError
from ostinato.data.lanes import Segment
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import Seen
from ostinato.models.language_model import LanguageModel
from ostinato.training.config import Learning
from ostinato.training.gradient import Full
from ostinato.training.gradient.method import whole
from ostinato.training.language_model import train_language_model
from ostinato.training.penalties import change, check_penalties, penalised, size
from ostinato.training.sequence_task import train_task


def seen(outputs: Tensor, **beside) -> Seen:
    return Seen(None, outputs, None, outputs, **beside)


def test_the_size_is_the_mean_of_squares():
    outputs = torch.arange(12.0).view(3, 2, 2)
    assert size(seen(outputs)).item() == pytest.approx(sum(k * k for k in range(12)) / 12)


def test_the_size_counts_the_steps_that_a_row_has():
    outputs = torch.arange(12.0).view(3, 2, 2)
    found = size(seen(outputs, lengths=torch.tensor([1, 3])))
    assert found.item() == pytest.approx(sum(k * k for k in (0, 1, 2, 3, 6, 7, 10, 11)) / 8)


def test_the_change_is_the_mean_of_squared_differences_between_steps():
    outputs = torch.tensor([1.0, 3.0, 2.0]).view(3, 1, 1)
    assert change(seen(outputs)).item() == pytest.approx((4 + 1) / 2)


def test_no_change_is_counted_into_a_new_document_or_beyond_the_end():
    outputs = torch.tensor([[1.0, 1.0], [3.0, 5.0], [2.0, 9.0]]).view(3, 2, 1)
    reset = torch.tensor([[False, False], [True, False], [False, False]])
    assert change(seen(outputs, reset=reset)).item() == pytest.approx((1 + 16 + 16) / 3)
    assert change(seen(outputs, lengths=torch.tensor([3, 2]))).item() == pytest.approx((4 + 1 + 16) / 3)


def test_a_single_step_changes_nothing():
    assert change(seen(torch.ones(1, 2, 3))).item() == 0.0


def test_the_gradient_is_that_of_mean_loss_and_penalty_and_the_loss_is_without():
    torch.manual_seed(0)
    model = LanguageModel(5, "lstm", hidden_size=6, num_layers=1)
    symbols = torch.randint(5, (7, 3))
    segment = Segment(symbols, symbols, None)
    nats, count, _ = model.loss(segment)
    hidden = model.recurrent(model.embedding(symbols))[0]
    (nats / count + 2.0 * hidden.square().mean() + 3.0 * hidden.diff(dim=0).square().mean()).backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    method = penalised(Full(), Learning(ar=2.0, tar=3.0))
    found, *_ = method.accumulate(model, segment, whole(7), None, torch.Tensor.backward)
    torch.testing.assert_close([parameter.grad for parameter in model.parameters()], expected)
    assert found == nats


def test_without_a_penalty_the_method_is_left_as_it_is():
    method = Full()
    assert penalised(method, Learning()) is method


RANDOM = {"gradient": "randomized", "spacing": 4}


@pytest.mark.parametrize(
    ("penalty", "more"),
    [
        *itertools.product(["ar", "tar", "omega"], [{}, {"k1": 4, "k2": 10}, {"gradient": "full"}, {"accumulate": 2}]),
        ("ar", RANDOM),
    ],
)
def test_a_run_with_a_penalty_goes_another_way_from_the_same_first_loss(tmp_path, text, small, penalty, more):
    settings = small | more | {"steps": 2, "validate_every": 1, "num_layers": 2, "hidden_size": 8, "cell": "gru"}
    lines = []
    for weight in (0.0, 5.0):
        folder = train_language_model(text, out=tmp_path / str(weight), **settings | {penalty: weight}).folder
        lines.append([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()])
    assert lines[0][0]["train_nats"] == lines[1][0]["train_nats"]
    assert lines[0][1]["gradient_norm"] != lines[1][1]["gradient_norm"]


def test_a_task_is_learned_with_all_of_them(tmp_path):
    settings = {"length": 12, "hidden_size": 8, "test_sequences": 50, "threads": 1, "steps": 200, "validate_every": 100}
    penalties = {"ar": 1e-4, "tar": 1e-4, "omega": 0.01}
    outcome = train_task("temporal-order", out=tmp_path / "run", progress=False, **settings, **penalties)
    first, last = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert last["valid_nats"] < first["valid_nats"]
    assert outcome.step == 200


def test_layers_that_read_backwards_have_no_omega():
    with pytest.raises(ConfigError, match="layers that read backwards"):
        check_penalties(Learning(omega=1.0), Recurrent("gru", 2, 3, bidirectional=True))


def test_windows_of_a_task_that_ask_for_nothing_have_no_penalty_to_weigh(tmp_path):
    settings = {"length": 12, "hidden_size": 8, "test_sequences": 20, "threads": 1, "steps": 6, "progress": False}
    outcome = train_task("temporal-order", out=tmp_path / "run", gradient="truncated", k1=5, omega=1.0, **settings)
    assert outcome.step == 6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ar": -1.0}, "--ar: ar is -1.0. It is 0 or more"),
        ({"omega": 1.0, "zoneout": 0.1}, "--omega: a cell that draws by chance. Its steps are taken twice"),
        ({"omega": 1.0, "gradient": "rtrl"}, "omega beside --gradient rtrl. It goes with truncated, full, randomized"),
        ({"tar": 1.0, "gradient": "checkpointed"}, "tar beside --gradient checkpointed"),
        ({"tar": 1.0, **RANDOM}, "tar beside --gradient randomized"),
        ({"omega": 1.0, **RANDOM}, "omega beside --gradient randomized"),
        ({"tar": 1.0, "k1": 1}, "--tar: windows of one step"),
        ({"ar": float("inf")}, "--ar: ar is inf"),
    ],
)
def test_a_penalty_that_cannot_be_is_refused_before_a_folder_exists(tmp_path, text, small, settings, said):
    with pytest.raises(ConfigError) as caught:
        train_language_model(text, out=tmp_path / "run", **small | settings)
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()
