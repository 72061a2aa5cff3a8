"""Encoders without recurrence: each beside a plain computation on one sequence alone, so that padding shows."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato import ConfigError
from ostinato.models.baselines.encoders import Bag, Constant, Convolution, Perceptron, Summary

LENGTHS = torch.tensor([7, 1, 4, 3])
WIDTH = 5


def embedded() -> torch.Tensor:
    return torch.randn(7, 4, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def rows():
    """Return each sequence alone (T, E)."""
    return [embedded()[:length, row] for row, length in enumerate(LENGTHS.tolist())]


def summary(row):
    steps = row.numpy()
    return np.concatenate([steps.mean(0), steps.std(0), steps.min(0), steps.max(0)])


def first_three_steps(module, row):
    flat = torch.cat([row, torch.zeros(7, WIDTH, dtype=torch.float64)])[:3].flatten()
    return (module.hidden.weight @ flat + module.hidden.bias).clamp(min=0)


def over_windows(module, row):
    """Answer as Kim (2014) writes it: c_i = f(w · x_{i:i+h-1} + b), ĉ = max c."""
    found = []
    for filters in module.filters:
        span = filters.kernel_size[0]
        steps = torch.cat([row, torch.zeros(max(span - len(row), 0), WIDTH, dtype=torch.float64)])
        windows = [steps[i : i + span] for i in range(len(steps) - span + 1)]
        answers = [torch.einsum("oes,se->o", filters.weight, window) + filters.bias for window in windows]
        found.append(torch.stack(answers).clamp(min=0).amax(0))
    return torch.cat(found)


CASES = {
    "constant": (lambda: Constant(WIDTH), lambda module, row: torch.zeros(1, dtype=torch.float64)),
    "mean": (lambda: Bag(WIDTH), lambda module, row: row.mean(0)),
    "sum": (lambda: Bag(WIDTH, "sum"), lambda module, row: row.sum(0)),
    "summary": (lambda: Summary(WIDTH), lambda module, row: torch.from_numpy(summary(row))),
    "perceptron": (
        lambda: Perceptron(WIDTH, 6),
        lambda module, row: (module.hidden.weight @ row.mean(0) + module.hidden.bias).clamp(min=0),
    ),
    "perceptron of steps": (lambda: Perceptron(WIDTH, 6, steps=3), first_three_steps),
    "convolution": (lambda: Convolution(WIDTH, 4), over_windows),
}


@pytest.mark.parametrize("name", CASES)
def test_features_are_those_of_each_sequence_alone(name):
    torch.manual_seed(1)
    make, alone = CASES[name]
    module = make().double()
    features = module(embedded(), LENGTHS)
    assert features.shape == (4, module.output_size)
    # a deviation of nothing is 1e-6 instead of 0: its slope stays finite
    expected = torch.stack([alone(module, row) for row in rows()])
    assert torch.allclose(features, expected, rtol=1e-12, atol=2e-6 if name == "summary" else 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_what_stands_in_the_padding_changes_nothing(name):
    torch.manual_seed(1)
    module = CASES[name][0]().double()
    noisy = embedded()
    for row, length in enumerate(LENGTHS.tolist()):
        noisy[length:, row] = torch.nan
    assert torch.equal(module(noisy, LENGTHS), module(embedded(), LENGTHS))


@pytest.mark.parametrize("name", CASES)
def test_slopes_are_finite_even_of_an_empty_sequence(name):
    torch.manual_seed(1)
    module = CASES[name][0]().double()
    inputs = embedded().requires_grad_()
    features = module(inputs, torch.tensor([7, 0, 1, 3]))
    assert features.isfinite().all()
    features.square().sum().backward() if features.requires_grad else None
    assert inputs.grad is None or inputs.grad.isfinite().all()


@pytest.mark.parametrize("way", ["mean", "sum"])
def test_a_bag_is_an_embedding_bag(way):
    torch.manual_seed(1)
    bag, words = nn.EmbeddingBag(20, WIDTH, mode=way), torch.randint(20, (7, 4))
    ragged = torch.cat([words[:length, row] for row, length in enumerate(LENGTHS.tolist())])
    offsets = LENGTHS.cumsum(0) - LENGTHS
    assert torch.allclose(Bag(WIDTH, way)(bag.weight[words], LENGTHS), bag(ragged, offsets), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bag(3, "men"), "Did you mean 'mean'"),
        (lambda: Perceptron(3, 0), "hidden_size: 0"),
        (lambda: Perceptron(3, 4, steps=0), "steps: 0"),
        (lambda: Convolution(3, spans=(0,)), "at least 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
