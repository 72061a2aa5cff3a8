"""How parameters are stored: stacked by operand, in torch's order, under names nothing else has."""

import pytest
import torch
from tests.catalogue import EQUATION_CELLS
from torch import nn

import ostinato
from ostinato import CATALOGUE
from ostinato.equations.normal import normal_form
from ostinato.equations.parse import parse
from ostinato.equations.storage import fuse, stacks, without_bias


def stored(text: str) -> dict:
    """Return the symbols each stored tensor holds."""
    return {s.name: s.symbols for s in stacks(parse(text))}


def biases(text: str) -> set:
    return {s.name for s in stacks(parse(text)) if s.is_bias}


# torch's own tensors


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lstm", nn.LSTM(3, 5)),
        ("gru", nn.GRU(3, 5)),
        ("elman", nn.RNN(3, 5)),
        ("elman-relu", nn.RNN(3, 5, nonlinearity="relu")),
        ("projected-lstm", nn.LSTM(3, 5, proj_size=2)),
    ],
)
def test_the_stored_tensors_are_torch_s(name, layer):
    cell = CATALOGUE[name].build(3, 5)
    found = {n: tuple(p.shape) for n, p in cell.named_parameters()}
    assert found == {n.removesuffix("_l0"): tuple(p.shape) for n, p in layer.named_parameters()}


@pytest.mark.parametrize(("name", "gates"), [("lstm", "ifgo"), ("gru", "rzn")])
def test_gates_stand_in_torch_s_order(name, gates):
    held = {s.name: s.symbols for s in stacks(CATALOGUE[name].build(3, 5).program)}
    letters = {"weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "bias_hh": "d"}
    assert held == {n: tuple(f"{letter}_{gate}" for gate in gates) for n, letter in letters.items()}


# stacks


def test_matrices_of_one_operand_stand_in_one_tensor():
    text = "f = sigmoid(W_f @ x + U_f @ h)\nh' = f * tanh(W_h @ x + U_h @ h)"
    assert stored(text) == {"weight_ih": ("W_f", "W_h"), "weight_hh": ("U_f", "U_h")}


def test_a_stack_may_hold_different_sizes():
    (stack,) = stacks(parse("c : 3\nc' = c + A @ x\nh' = h + B @ x"))
    assert (stack.shape, stack.rows) == (("3 + H", "D"), ("3", "H"))


def test_a_matrix_that_multiplies_what_has_no_name_stands_alone():
    assert stored("h' = tanh(W @ x + U @ (x * h))") == {"weight_ih": ("W",), "U": ("U",)}


def test_matrices_that_multiply_a_named_value_stand_under_its_name():
    assert stored("c' = c + W @ x\nh' = tanh(A @ c' + B @ c) + h")["weight_c_next"] == ("A",)


def test_a_matrix_used_twice_is_stored_by_its_own_symbol():
    assert stored("h' = tanh(W @ x + U @ h + U @ tanh(h))") == {"weight_ih": ("W",), "U": ("U",)}


def test_a_matrix_used_turned_is_stored_by_its_own_symbol():
    assert stored("h' = tanh(W @ x)\ny = W.T @ h'") == {"W": ("W",)}


def test_a_vector_that_is_not_added_to_a_product_is_stored_by_its_own_symbol():
    assert stored("h' = u * h + W @ x") == {"weight_ih": ("W",), "u": ("u",)}


def test_a_single_number_is_stored_by_its_own_symbol():
    scalar, _ = stacks(parse("a : scalar\nh' = a * h + W @ x"))
    assert (scalar.name, scalar.shape) == ("a", ())


# biases


def test_biases_pair_with_products_in_the_order_written():
    assert stored("h' = tanh(W @ x + b + U @ h + d)")["bias_ih"] == ("b",)
    assert stored("h' = tanh(U @ h + b + W @ x + d)")["bias_hh"] == ("b",)


def test_one_bias_beside_two_products_belongs_to_neither():
    text = "f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = f * tanh(W_h @ x + U_h @ h + b_h)"
    assert stored(text)["bias"] == ("b_f", "b_h")


@pytest.mark.parametrize("text", ["f = sigmoid(b + W @ x)", "f = sigmoid(W @ x + b)", "f = tanh(0.5 + b + W @ x)"])
def test_a_bias_stands_on_either_side(text):
    assert stored(f"{text}\nh' = f * h")["bias_ih"] == ("b",)


def test_biases_stand_in_the_order_of_their_matrices():
    text = "n = tanh(W_n @ x + h * (V_n @ x + d_n) + b_n)\nh' = n"
    assert stored(text) == {"weight_ih": ("W_n", "V_n"), "bias_ih": ("b_n", "d_n")}


def test_a_bias_of_a_product_used_elsewhere_too_stays_out_of_it():
    program = parse("p = W @ x\nh' = tanh(p + b) + p + h")
    assert [op.fn for op in fuse(program).ops][:2] == ["matmul", "add"]


def test_a_vector_added_to_no_product_is_no_bias():
    assert biases("h' = tanh(x + b) + h") == set()


def test_a_vector_named_bias_that_multiplies_is_no_bias():
    assert biases("h' = tanh(W @ x + U @ h + b) + bias_gain * h") == {"bias"}


def test_a_vector_added_and_multiplied_is_no_bias():
    assert biases("h' = tanh(W @ x + b) * b + h") == set()


# names


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ih = tanh(A @ x)\nh' = V @ x + U @ ih", id="a value named ih"),
        pytest.param("hh' = tanh(A @ x + B @ hh)\nh' = V @ h + U @ hh'\ny = h'", id="a state named hh"),
        pytest.param("h' = tanh(A @ x + B @ x) + weight_ih * h", id="a vector named weight_ih"),
        pytest.param("weight_ih = tanh(A @ x)\nh' = weight_ih * h", id="a value named weight_ih"),
        pytest.param("f = sigmoid(A @ x + U @ h + bias)\nh' = f * tanh(B @ x + V @ h + b)", id="one of two biases"),
        pytest.param("c_next = tanh(A @ x)\nc' = c + x\nh' = U @ c' + V @ c_next", id="a value named as a next state"),
    ],
)
def test_names_of_stored_tensors_are_not_taken_from_the_equations(text):
    program = parse(text)
    names = [s.name for s in stacks(program)]
    assert len(set(names)) == len(names)
    cell = ostinato.cell(text, 3, 3)
    output, _ = cell(torch.ones(2, 3))
    assert output.shape == (2, 3)


def test_a_bias_called_bias_keeps_its_name():
    assert stored("h' = tanh(W @ x + U @ h + bias)")["bias"] == ("bias",)


# fused programs


def test_a_fused_step_does_one_product_per_operand():
    fused = fuse(CATALOGUE["lstm"].build(3, 4).program)
    assert [op.fn for op in fused.ops].count("affine") == 2
    assert not [op for op in fused.ops if op.fn == "matmul"]


def test_biases_of_products_with_a_value_that_has_no_name_stay_with_their_own_product():
    fused = fuse(parse("f = sigmoid(W @ (x * x) + b)\nh' = f * h + tanh(V @ (x * x) + d)"))
    assert [op.args[::2] for op in fused.ops if op.fn == "affine"] == [("W", "b"), ("V", "d")]


def test_two_biases_in_brackets_of_their_own_leave_nothing_behind():
    fused = fuse(parse("h' = tanh(W @ x + U @ h + (b + d))"))
    assert [op.fn for op in fused.ops] == ["affine", "affine", "add", "tanh"]


# bias=False


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_without_bias_no_cell_of_the_catalogue_has_a_vector_that_is_only_added(name):
    cell = CATALOGUE[name].build(3, 4, bias=False)
    assert [stack.name for stack in cell.definition.stacks if stack.is_bias] == []


def test_without_bias_a_vector_that_multiplies_stays():
    assert [p.name for p in without_bias(parse("h' = u * h + W @ x + b")).parameters] == ["u", "W"]


def test_without_bias_a_program_is_the_one_written_without():
    bare = without_bias(parse("h' = tanh(0.5 + b + W @ x + (U @ h + d))"))
    assert normal_form(bare) == normal_form(parse("h' = tanh(0.5 + W @ x + U @ h)"))


def test_without_bias_a_line_that_is_only_its_product_still_reaches_the_state():
    assert [op.fn for op in without_bias(parse("f = W @ x + b\nh' = f * h")).ops] == ["matmul", "mul"]
