"""Optimizers by name, what each takes, and the learning rates and decays of single parameters."""

from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn, optim

from ostinato import ConfigError
from ostinato.training.config import Training
from ostinato.training.optimizers import OPTIMIZERS, default_learning_rate, make_optimizer

FAMILY = ("adamw", "adam", "nadam", "radam", "adamax")


class Two(nn.Module):
    """A matrix and a vector."""

    def __init__(self):
        super().__init__()
        self.matrix, self.vector = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(3))


def made(**settings) -> optim.Optimizer:
    return make_optimizer(Training(**settings), Two())


def message(**settings) -> str:
    with pytest.raises(ConfigError) as caught:
        made(**settings)
    return str(caught.value)


def numbers(group: dict) -> list[int]:
    return sorted(p.numel() for p in group["params"])


def test_every_name_of_the_settings_is_an_optimizer():
    assert set(get_args(get_type_hints(Training)["optimizer"])) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_goes_downhill(name):
    model = Two()
    optimizer = make_optimizer(Training(optimizer=name, learning_rate=0.01), model)
    loss = sum(w.square().sum() for w in model.parameters())
    loss.backward()
    optimizer.step()
    assert sum(w.square().sum() for w in model.parameters()) < loss


def test_a_step_of_momentum_is_that_of_nesterov_1983():
    model = Two()
    settings = Training(optimizer="sgd", learning_rate=0.1, momentum=0.5, nesterov=True, weight_decay=0.0)
    optimizer = make_optimizer(settings, model)
    weight, velocity = 1.0, 0.0
    for _ in range(3):
        model.vector.grad = 2 * model.vector.detach()
        gradient = 2 * weight
        velocity = 0.5 * velocity + gradient
        weight -= 0.1 * (gradient + 0.5 * velocity)
        optimizer.step()
    assert model.vector.tolist() == pytest.approx([weight] * 3)


def test_a_step_of_rmsprop_is_that_of_graves_2013():
    model = Two()
    settings = {"smoothing": 0.95, "momentum": 0.9, "centered": True, "eps": 1e-2, "weight_decay": 0.0}
    optimizer = make_optimizer(Training(optimizer="rmsprop", learning_rate=1e-3, **settings), model)
    weight, square, mean, step = 1.0, 0.0, 0.0, 0.0
    for _ in range(3):
        gradient = 2 * weight
        model.vector.grad = 2 * model.vector.detach()
        square, mean = 0.95 * square + 0.05 * gradient**2, 0.95 * mean + 0.05 * gradient  # eq. 38, 39
        step = 0.9 * step + gradient / ((square - mean**2) ** 0.5 + 1e-2)  # eq. 40, but for where ε stands
        weight -= 1e-3 * step
        optimizer.step()
    assert model.vector.tolist() == pytest.approx([weight] * 3)


@pytest.mark.parametrize("name", FAMILY)
def test_betas_and_eps_reach_the_adam_family(name):
    [group] = {
        (g["betas"], g["eps"])
        for g in made(optimizer=name, betas=(0.8, 0.95), eps=1e-6, learning_rate=1.0).param_groups
    }
    assert group == ((0.8, 0.95), 1e-6)


@pytest.mark.parametrize(("name", "keyword"), [("rmsprop", "alpha"), ("adadelta", "rho")])
def test_smoothing_is_what_torch_calls_otherwise(name, keyword):
    assert made(optimizer=name, smoothing=0.7).param_groups[0][keyword] == 0.7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "adm"}, "Did you mean 'adam'?"),
        ({"momentum": 0.9}, "momentum is 0.9 beside --optimizer adamw. It is a setting of rmsprop, sgd"),
        ({"nesterov": True}, "It is a setting of sgd"),
        ({"centered": True, "optimizer": "sgd"}, "It is a setting of rmsprop"),
        ({"betas": (0.9, 0.9), "optimizer": "sgd"}, "It is a setting of adamw, adam, nadam, radam, adamax"),
        ({"smoothing": 0.9}, "It is a setting of adadelta, rmsprop"),
        ({"eps": 1e-8, "optimizer": "sgd"}, "It is a setting of adamw"),
        ({"nesterov": True, "optimizer": "sgd"}, "--optimizer sgd: Nesterov momentum requires a momentum"),
        ({"betas": (0.9, 1.5)}, "--optimizer adamw: Invalid beta parameter at index 1: 1.5"),
        ({"learning_rate": 0.0}, "It is greater than 0"),
        ({"learning_rate": -1.0}, "It is greater than 0"),
        ({"weight_decay": -0.1}, "--weight-decay: weight_decay is -0.1. It is 0 or more"),
        ({"rates": {"vecter": 0.1}}, "--rates: 'vecter' meets no parameter. They are matrix, vector. Did you mean"),
        ({"decays": {"*.bias": 0.1}}, "--decays: '*.bias' meets no parameter"),
        ({"rates": {"vector": -0.1}}, "--rates: -0.1 for 'vector'. It is 0 or more"),
    ],
)
def test_what_cannot_be_or_does_nothing_is_refused(settings, said):
    assert said in message(**settings)


def test_biases_do_not_decay():
    groups = made(weight_decay=0.5).param_groups
    assert [(numbers(g), g["weight_decay"], g["share"]) for g in groups] == [([6], 0.5, 1.0), ([3], 0.0, 1.0)]


def test_patterns_give_rates_and_decays_and_the_last_one_counts():
    groups = made(weight_decay=0.5, rates={"*": 0.1, "vec*": 0.2}, decays={"*": 0.3}).param_groups
    assert [(numbers(g), g["weight_decay"], g["share"]) for g in groups] == [([6], 0.3, 0.1), ([3], 0.3, 0.2)]


def test_every_optimizer_has_a_rate_to_start_from():
    assert all(default_learning_rate(name) > 0 for name in OPTIMIZERS)
