"""Which gates keep a state, which write it, and what functions products enter, found from the form of equations."""

import pytest

from ostinato import GRU, LSTM
from ostinato.cells.equation_cell import program_of
from ostinato.equations.gates import TimeGate, entered, time_gates
from ostinato.equations.parse import parse


def test_an_lstm_keeps_by_f_and_writes_by_i():
    assert time_gates(program_of(LSTM)) == [
        [TimeGate(("b_f", "d_f"), keeps=True), TimeGate(("b_i", "d_i"), keeps=False)],
    ]


def test_a_gru_keeps_by_z():
    assert time_gates(program_of(GRU)) == [[TimeGate(("b_z", "d_z"), keeps=True)]]


@pytest.mark.parametrize("text", ["(1 - f) * h + f * g", "f * g + h * (1 - f)", "f * (g * 2) + (1 - f) * h"])
def test_a_gate_that_closes_to_keep_is_told_from_one_that_opens(text):
    program = parse(f"f = sigmoid(W_f @ x + b_f)\ng = tanh(W_g @ x)\nh' = {text}")
    assert time_gates(program) == [[TimeGate(("b_f",), keeps=False)]]


@pytest.mark.parametrize(
    "text",
    [
        "h' = tanh(W @ x + U @ h + b)",
        "h' = h + sigmoid(W @ x + b)",
        "h' = sigmoid(W @ x + b) * h * sigmoid(V @ x + c) + x",
        "h' = tanh(W @ x + b) * h",
        "f = sigmoid(W @ x + b)\nh' = f * h + (1 - f) * h",
    ],
)
def test_where_no_one_gate_keeps_a_state_there_is_none(text):
    assert time_gates(parse(text)) == []


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        ("h' = tanh(W @ x + b + U @ h)", {"tanh"}),
        ("h' = W @ x - U @ h", {""}),
        ("h' = 0.5 * (U @ h) + x", {"mul"}),
        ("h' = relu(-(U @ h) + x) + sigmoid(V @ x)", {"relu"}),
        ("a = U @ h + x\nh' = a + tanh(a)", {"", "tanh"}),
    ],
)
def test_what_products_enter_is_found_behind_sums(text, functions):
    assert entered(parse(text), "U") == functions
