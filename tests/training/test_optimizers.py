"""Optimizers by name, and the learning rate of each step."""

from typing import get_args, get_type_hints

import pytest
import torch

from ostinato import ConfigError
from ostinato.training.config import Training
from ostinato.training.optimizers import OPTIMIZERS, Schedule, default_learning_rate, make_optimizer


def parameters() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(3, 2)), torch.nn.Parameter(torch.ones(3))]


def test_every_name_of_the_settings_is_an_optimizer():
    assert set(get_args(get_type_hints(Training)["optimizer"])) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_goes_downhill(name):
    weights = parameters()
    optimizer = make_optimizer(Training(optimizer=name, learning_rate=0.01), weights)
    loss = sum(w.square().sum() for w in weights)
    loss.backward()
    optimizer.step()
    assert sum(w.square().sum() for w in weights) < loss


def test_biases_do_not_decay():
    groups = make_optimizer(Training(weight_decay=0.5), parameters()).param_groups
    assert [g["weight_decay"] for g in groups] == [0.5, 0.0]


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"learning_rate": -1.0}, {"weight_decay": -0.1}])
def test_a_wrong_number_is_refused(wrong):
    with pytest.raises(ConfigError):
        make_optimizer(Training(**wrong), parameters())


def test_the_rate_rises_over_the_warm_up_and_falls_to_its_final_share():
    schedule = Schedule(peak=2.0, warmup=10, total=1000, final_fraction=0.1)
    rates = [schedule.at(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(2.0, rel=1e-2)
    assert rates[1000] == pytest.approx(0.2)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_final_share_of_one_keeps_the_rate():
    assert Schedule(peak=2.0, warmup=0, total=10, final_fraction=1.0).at(7) == 2.0


@pytest.mark.parametrize("wrong", [{"warmup": -1, "final_fraction": 0.5}, {"warmup": 1, "final_fraction": 1.5}])
def test_a_schedule_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError):
        Schedule(peak=1.0, total=10, **wrong)


def test_every_optimizer_has_a_rate_to_start_from():
    assert all(default_learning_rate(name) > 0 for name in OPTIMIZERS)
