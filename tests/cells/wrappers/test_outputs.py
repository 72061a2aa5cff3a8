"""What is done to the output of a cell, its state left alone: residual, highway, projection."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, ROWS, SIZE, STEPS, Joined, numbers

from ostinato import GRU, LSTM, ConfigError, Highway, Projection, Residual, unroll

X = numbers(STEPS, ROWS, SIZE)
both_kinds = pytest.mark.parametrize("kind", [LSTM, Joined])


@both_kinds
def test_a_residual_is_the_sum_of_output_and_input(kind):
    cell = kind(SIZE, SIZE, dtype=DOUBLE)
    (found, last), (outputs, state) = unroll(Residual(cell), X), unroll(cell, X)
    torch.testing.assert_close((found, last), (outputs + X, state))


@both_kinds
def test_a_highway_mixes_output_and_input_by_a_gate(kind):
    cell = kind(SIZE, SIZE, dtype=DOUBLE)
    made = Highway(cell, bias=-2.0)
    (found, last), (outputs, state) = unroll(made, X), unroll(cell, X)
    assert (made.bias_gate == -2).all()
    gate = F.linear(X, made.weight_gate, made.bias_gate).sigmoid()
    torch.testing.assert_close((found, last), (gate * outputs + (1 - gate) * X, state))


@pytest.mark.parametrize("bias", [True, False])
@both_kinds
def test_a_projection_is_a_product_with_the_output(kind, bias):
    cell = kind(SIZE, SIZE, dtype=DOUBLE)
    made = Projection(cell, 3, bias=bias)
    (found, last), (outputs, state) = unroll(made, X), unroll(cell, X)
    torch.testing.assert_close((found, last), (F.linear(outputs, made.weight_projection, made.bias_projection), state))


def test_a_projection_brings_an_output_to_the_size_of_the_input():
    assert Residual(Projection(GRU(5, 7), 5)).output_size == 5


@pytest.mark.parametrize("kind", [Residual, Highway])
def test_what_is_added_is_equally_large(kind):
    message = (
        rf"{kind.__name__}: a cell with an input of 5 and an output of 7.*Use input_size=7, or Projection\(cell, 5\)"
    )
    with pytest.raises(ConfigError, match=message):
        kind(GRU(5, 7))


@pytest.mark.parametrize("size", [0, -1, 2.5, "3", True])
def test_a_size_is_a_whole_number(size):
    with pytest.raises(ConfigError, match=r"Projection size: .* was given\. A whole number, at least 1"):
        Projection(GRU(3, 4), size)
