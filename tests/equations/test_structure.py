"""What the form of equations says about them."""

import pytest

from ostinato import CATALOGUE
from ostinato.equations.parse import parse
from ostinato.equations.structure import structure

NUMBERS = {"D": 3, "H": 5, "O": 5, "P": 2}


def facts(text: str):
    return structure(parse(text), NUMBERS)


@pytest.mark.parametrize(
    ("text", "is_diagonal", "is_linear"),
    [
        pytest.param("h' = relu(W @ x + u * h + b)", True, False, id="IndRNN"),
        pytest.param("z = sigmoid(W_z @ x)\nh' = (1 - z) * h + z * (W_h @ x)", True, True, id="minGRU"),
        pytest.param("h' = tanh(W @ x + U @ h + b)", False, False, id="Elman"),
        pytest.param("h' = W @ x + U @ h", False, True, id="a linear recurrence with a full matrix"),
        pytest.param("h' = layer_norm(h) + x", False, False, id="layer_norm on the state"),
        pytest.param("h' = h + layer_norm(x)", True, True, id="layer_norm on the input"),
        pytest.param("h' = softmax(h) * x", False, False, id="softmax on the state"),
        pytest.param("h' = h - mean(h) + x", False, True, id="the mean of the state"),
        pytest.param("h' = h * sum(x)", True, True, id="the sum of the input"),
        pytest.param("h' = h * h + x", True, False, id="the state squared"),
        pytest.param("h' = h ** 2 + x", True, False, id="a power of the state"),
        pytest.param("h' = h / (1 + x * x)", True, True, id="the state divided by the input"),
        pytest.param("h' = x / (1 + h * h)", True, False, id="the input divided by the state"),
        pytest.param("h' = where(x > 0, h, x)", True, True, id="a choice by the input"),
        pytest.param("h' = where(h > 0, h, x)", True, False, id="a choice by the state"),
        pytest.param("h' = maximum(h, x)", True, False, id="a maximum"),
        pytest.param("c' = h + x\nh' = 2 * c' - c", True, True, id="two states that only add"),
        pytest.param("c' = x + c\nh' = tanh(c') + 0.5 * h", True, True, id="a state that follows from another"),
        pytest.param("c' = x + c\nh' = tanh(c' + h)", True, False, id="one state that is not linear"),
        pytest.param("c' = x + c * h\nh' = 0.5 * c + h", True, False, id="two states that multiply each other"),
        pytest.param("h' = sigmoid(W @ x) * (U @ h)", False, True, id="a full matrix that is gated"),
        pytest.param("h' = exp(-dt) * h + x", True, True, id="a decay with time"),
        pytest.param("h' = h + x\ny = tanh(W @ h')", False, True, id="an output that is not linear"),
    ],
)
def test_how_the_next_state_depends_on_the_last(text, is_diagonal, is_linear):
    found = facts(text)
    assert (found.is_diagonal, found.is_linear) == (is_diagonal, is_linear)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("elman", 1, 1),
        ("jordan", 1, 2),
        ("lstm", 4, 4),
        ("projected-lstm", 4, 5),
        ("gru", 3, 3),
        ("gru-reset-before", 3, 3),
    ],
)
def test_products_with_the_input_leave_the_loop(name, before, after):
    found = structure(CATALOGUE[name].build(3, 5).program, NUMBERS)
    assert (found.input_products, found.recurrent_products) == (before, after)


def test_a_product_counts_two_operations_a_weight_and_a_function_one_a_number():
    assert facts("h' = tanh(W @ x + U @ h)").operations == 2 * 5 * 3 + 2 * 5 * 5 + 5 + 5
