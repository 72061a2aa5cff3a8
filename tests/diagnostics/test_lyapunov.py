"""Lyapunov exponents, against those that are known."""

import math

import numpy as np
import pytest
import torch

import ostinato
from ostinato.diagnostics.lyapunov import lyapunov


def driven(equations, size, first, steps):
    """Run a system of its own from states that its first inputs give it."""
    cell = ostinato.cell(equations, input_size=size, hidden_size=size, initialisers={"W": "identity"}).double()
    with torch.no_grad():
        cell.W.copy_(torch.eye(size))
    inputs = torch.zeros(steps, *first.shape, dtype=torch.float64)
    inputs[0] = first
    return ostinato.Recurrent(cell), inputs


def test_those_of_a_linear_system_are_the_logarithms_of_its_eigenvalues(linear):
    sizes = torch.tensor([1.2, 0.9, 0.5, 0.3, 0.1], dtype=torch.float64)
    basis = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = linear(basis @ sizes.diag() @ torch.linalg.inv(basis))
    (found,) = lyapunov(model, torch.randn(200, 2, 5, dtype=torch.float64), count=5, washout=100)
    assert found.values == pytest.approx(sizes.log().numpy(), abs=1e-6)
    assert found.error == pytest.approx(np.zeros(5), abs=1e-6)
    assert lyapunov(model, torch.zeros(200, 1, 5).double(), count=2)[0].values.shape == (2,)


def test_a_rotation_neither_parts_nor_joins(linear):
    turn = torch.tensor([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]], dtype=torch.float64)
    (found,) = lyapunov(linear(turn), torch.randn(20, 1, 2, dtype=torch.float64))
    assert found.values == pytest.approx([0.0, 0.0], abs=1e-12)


def test_that_of_the_logistic_map_is_ln_2():
    model, inputs = driven("h' = 4 * h * (1 - h) + W @ x", 1, torch.linspace(0.11, 0.87, 200).double()[:, None], 300)
    (found,) = lyapunov(model, inputs, washout=20)
    assert found.values[0] == pytest.approx(math.log(2), abs=0.005)
    assert abs(found.values[0] - math.log(2)) < 4 * found.error[0] + 1e-4


def test_those_of_the_henon_map_are_the_known_ones():
    equations = """
        c' = 0.3 * h
        h' = 1 - 1.4 * h * h + c + W @ x
    """
    model, inputs = driven(equations, 1, 0.01 * torch.arange(100.0).double()[:, None] - 0.9, 350)
    (found,) = lyapunov(model, inputs, washout=50)
    assert found.values[0] == pytest.approx(0.419, abs=0.005)
    assert found.values.sum() == pytest.approx(math.log(0.3), abs=1e-9)  # areas shrink by 0.3 at each step
    assert 0 < found.error[0] < 0.01


@pytest.mark.parametrize(("gain", "sign"), [(0.5, -1), (3.0, 1)])
def test_a_random_tanh_network_is_chaotic_above_the_edge(gain, sign):
    """Sompolinsky, Crisanti and Sommers (1988): the edge of large networks lies at a gain of 1."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(2, 60, dtype=torch.float64, generator=generator)
    model, inputs = driven("h' = tanh(U @ h + W @ x)", 60, first, 200)
    with torch.no_grad():
        model.layers[0][0].U.copy_(gain * torch.randn(60, 60, generator=generator) / 60**0.5)
    (found,) = lyapunov(model, inputs, count=2)
    assert np.sign(found.values[0]) == sign


@pytest.mark.parametrize("cell", ["lstm", "lru", "unitary", "indrnn", "conv-gru"])
def test_any_cell_has_them(cell):
    torch.manual_seed(0)
    made = ostinato.cells.catalogue.CATALOGUE[cell].build(4, 4)
    (found,) = lyapunov(ostinato.Recurrent(made), torch.randn(12, 2, 4), count=3)
    assert found.values.shape == (3,)
    assert found.values.tolist() == sorted(found.values, reverse=True)


def test_a_direction_that_is_lost_is_minus_infinity():
    cell = ostinato.cell("h' = W @ x", input_size=2, hidden_size=2)
    (found,) = lyapunov(ostinato.Recurrent(cell), torch.randn(12, 2, 2))
    assert (found.values == -np.inf).all()
    assert np.isnan(found.error).all()


@pytest.mark.parametrize(
    ("settings", "message"), [({"count": 0}, "count=0"), ({"washout": 5}, "washout=5, of 5 steps")]
)
def test_numbers_that_cannot_be_are_said(settings, message):
    with pytest.raises(ostinato.ConfigError, match=message):
        lyapunov(ostinato.Recurrent("gru", 2, 2), torch.ones(5, 1, 2), **settings)


def test_steps_that_are_not_finite_are_said(linear):
    model = linear(torch.eye(2, dtype=torch.float64), "h' = tanh(U @ h + W @ x)")
    with pytest.raises(ostinato.ConfigError, match="not finite"):
        lyapunov(model, torch.full((6, 1, 2), torch.nan).double())
