"""The learning rate of each step, by name."""

import math
from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn, optim

from ostinato import ConfigError
from ostinato.training.config import Learning
from ostinato.training.schedules import CURVES, Schedule


def schedule(name: str = "cosine", **settings) -> Schedule:
    settings = {"learning_rate": 2.0, "warmup": 0, "steps": 1000, "final_fraction": 0.1} | settings
    return Schedule(Learning(schedule=name, **settings))


def rates(made: Schedule) -> list[float]:
    return [made.at(step) for step in range(made.total + 1)]


def test_every_name_of_the_settings_is_a_curve():
    assert set(get_args(get_type_hints(Learning)["schedule"])) == set(CURVES)


@pytest.mark.parametrize("name", CURVES)
def test_the_rate_rises_over_the_warm_up_to_its_peak_and_never_beyond(name):
    found = rates(schedule(name, warmup=10))
    assert found[0] == pytest.approx(0.2)
    assert found[:10] == sorted(found[:10])
    assert max(found) == pytest.approx(2.0, rel=1e-2)
    assert found[10:] == sorted(found[10:], reverse=True)


def test_a_cosine_is_that_of_torch():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = optim.SGD([weight], lr=2.0)
    theirs = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000, eta_min=0.2)
    for step in range(1001):
        assert schedule().at(step) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_a_final_share_is_reached_and_kept(name):
    assert schedule(name).at(1000) == pytest.approx(0.2)
    assert schedule(name).at(2000) == pytest.approx(0.2)


def test_a_line_is_half_way_down_in_the_middle():
    assert schedule("linear").at(500) == pytest.approx(2.0 * 0.55)


@pytest.mark.parametrize("made", [schedule("constant"), schedule("cosine", final_fraction=1.0)])
def test_a_constant_rate_stays(made):
    assert set(rates(made)) == {2.0}


def test_an_inverse_root_is_that_of_vaswani():
    made = schedule("inverse-sqrt", warmup=50)
    for step in (1, 30, 50, 51, 200, 1000):
        assert made.at(step - 1) == pytest.approx(2.0 * math.sqrt(50) * min(step**-0.5, step * 50**-1.5))


def test_steps_drop_the_rate_every_so_often():
    assert rates(schedule("step", steps=6, drop=0.5, drop_every=2)) == [2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25]


def test_steps_are_a_quarter_of_the_run_unless_told():
    assert rates(schedule("step", steps=8))[::2] == [2.0, 1.0, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_a_standstill_drops_the_rate_as_torch_does(patience):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    theirs = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, threshold=0.0, eps=0.0)
    made = schedule("plateau", patience=patience)
    for score in [3.0, 2.0, 2.0, 2.5, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 0.9, 1.0, 1.0, 1.0, 1.0]:
        theirs.step(score)
        made.report(score)
        assert made.at(0) == optimizer.param_groups[0]["lr"]


def test_a_standstill_is_remembered_by_a_checkpoint():
    made, other = schedule("plateau", patience=0), schedule("plateau", patience=0)
    for score in (1.0, 2.0):
        made.report(score)
    other.restore(made.facts())
    assert other.at(0) == made.at(0) == 1.0


def test_only_a_plateau_listens_to_scores():
    made = schedule("constant", patience=0)
    for _ in range(3):
        made.report(1.0)
    assert made.at(0) == 2.0


def test_each_group_gets_its_share_of_the_rate():
    optimizer = optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "share": share} for share in (1.0, 0.1)], lr=1.0)
    schedule("constant").set(optimizer, 3)
    assert [group["lr"] for group in optimizer.param_groups] == [2.0, 0.2]


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("cosin", {}, "Did you mean 'cosine'?"),
        ("cosine", {"warmup": -1}, "--warmup: warmup is -1. It is 0 or more"),
        ("cosine", {"final_fraction": 1.5}, "--final-fraction: final_fraction is 1.5"),
        ("plateau", {"patience": -1}, "--patience: patience is -1. It is 0 or more"),
        ("step", {"drop": 1.0}, "--drop: drop is 1.0. It lies between 0 and 1"),
        ("step", {"drop_every": 0}, "--drop-every: drop_every is 0. It is greater than 0"),
        ("plateau", {"drop_every": 5}, "It is a setting of --schedule step. Add that, or leave it out"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(name, wrong, said):
    with pytest.raises(ConfigError) as caught:
        schedule(name, **wrong)
    assert said in str(caught.value)
