"""The normal form: equal for equal equations, whatever their names and order; different for different ones."""

import pytest
from hypothesis import given, settings
from random_cells import RandomCell, random_cells

from ostinato.equations.normal import normal_form
from ostinato.equations.parse import parse

GATED = """
f  = sigmoid(W_f @ x + U_f @ h + b_f)
g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
h' = (1 - f) * h + f * g
"""


def key(text: str):
    return normal_form(parse(text)).key


@pytest.mark.parametrize(
    "same",
    [
        "k = sigmoid(A @ x + B @ s + c)\nn = tanh(D @ x + E @ (k * s) + q)\ns' = (1 - k) * s + k * n",
        "f = sigmoid(b_f + (U_f @ h + W_f @ x))\ng = tanh(U_g @ (h * f) + (b_g + W_g @ x))\nh' = g * f + h * (1 - f)",
        "f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = (1 - f) * h + f * tanh(W_g @ x + U_g @ (f * h) + b_g)",
    ],
    ids=["other names", "other order", "a line less"],
)
def test_the_same_equations_have_one_key(same):
    assert key(same) == key(GATED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(1 - f) * h + f * g", "(f - 1) * h + f * g"),
        ("(1 - f) * h + f * g", "(1 - f) * g + f * h"),
        ("U_g @ (f * h)", "U_g @ h"),
        ("U_g @", "U_f @"),
        ("+ b_g", "+ b_f"),
        ("+ b_g", ""),
        ("sigmoid", "tanh"),
        ("1 - f", "2 - f"),
        ("U_f @ h", "U_f.T @ h"),
    ],
)
def test_other_equations_have_another_key(old, new):
    assert key(GATED.replace(old, new)) != key(GATED)


def test_parameters_stand_in_one_order_however_the_text_orders_them():
    turned = "h' = z * h + (1 - z) * n"
    lines = ["z = sigmoid(W_z @ x + U_z @ h + b_z)", "n = tanh(W_n @ x + U_n @ h + b_n)"]
    one, other = (normal_form(parse("\n".join([*order, turned]))) for order in (lines, lines[::-1]))
    assert one == other


@settings(derandomize=True, deadline=None, max_examples=60, database=None)
@given(random_cells())
def test_a_program_has_the_key_of_its_own_text(random: RandomCell):
    assert normal_form(parse(random.text)) == normal_form(parse(random.text + " "))
    assert set(normal_form(parse(random.text)).parameters) <= {p.name for p in parse(random.text).parameters}


def test_a_long_chain_of_lines_has_a_key():
    lines = ["a0 = tanh(x)"] + [f"a{k} = tanh(a{k - 1} + W{k} @ a{k - 1})" for k in range(1, 190)]
    assert key("\n".join([*lines, "h' = h + a189"]))
