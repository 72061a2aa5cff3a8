"""Which states a scan can find, and what it takes."""

import pytest

from ostinato import CATALOGUE
from ostinato.equations.linear import linear
from ostinato.equations.parse import parse


def groups(text: str) -> list[tuple[str, ...]]:
    return [group.states for group in linear(parse(text)).groups]


def test_a_gate_is_a_coefficient_and_what_is_written_an_offset():
    (group,) = linear(parse("z = sigmoid(W_z @ x)\nh' = (1 - z) * h + z * (W @ x)")).groups
    assert [op.fn for op in group.program.ops] == ["matmul", "sigmoid", "sub", "matmul", "mul"]
    assert group.coefficients[0] == (group.program.ops[2].out,)
    assert group.offsets == (group.program.ops[-1].out,)


def test_what_no_state_has_a_part_in_is_computed_once():
    found = linear(parse("z = sigmoid(W_z @ x)\nc' = z * c + x\nh' = z * tanh(c')"))
    computed = [op.fn for part in (*(g.program for g in found.groups), found.after) for op in part.ops]
    assert sorted(computed) == ["matmul", "mul", "sigmoid", "tanh"]


def test_nothing_is_left_of_a_coefficient_that_is_a_number():
    (group,) = linear(parse("h' = 0.5 * h + x")).groups
    assert (group.program.ops, group.coefficients, group.offsets) == ((), ((0.5,),), ("x",))


def test_states_that_need_each_other_are_found_together():
    assert groups("a' = c * a - s * b + x\nb' = s * a + c * b") == [("a", "b")]


def test_a_state_is_found_after_those_it_needs():
    assert groups("c' = f * c + sin(p)\nh' = sigmoid(c') * h + x\np' = x") == [("p",), ("c",), ("h",)]


def test_a_state_that_nothing_remembers_is_not_scanned():
    found = linear(parse("c' = 0.9 * c + x\nh' = tanh(c')"))
    assert [g.is_scanned for g in found.groups] == [True, False]


def test_a_constant_matrix_is_a_map_without_the_offsets():
    (group,) = linear(parse("h' = W @ h + U @ x + b")).groups
    assert [op.fn for op in group.map.ops] == ["matmul"]
    assert [op.fn for op in group.program.ops] == ["matmul", "add"]


def test_a_choice_by_the_input_chooses_coefficients():
    (group,) = linear(parse("h' = where(x > 0, 0.5 * h, x)")).groups
    assert [op.fn for op in group.program.ops] == ["gt", "where", "where"]


NOT_LINEAR = {
    "h' = tanh(W @ x + u * h)": "h' is not linear in h: tanh takes what depends on it",
    "h' = h * h + x": "h' is not linear in h: a product takes what depends on it",
    "h' = x / (1 + h)": "h' is not linear in h: a quotient takes what depends on it",
    "h' = where(h > 0, h, x)": "h' is not linear in h: a comparison takes what depends on it",
    "h' = softmax(h) + x": "h' is not linear in h: softmax takes what depends on it",
    "a' = b\nb' = sin(a) + x": "a and b need each other, and are not linear in the state: sin takes what depends on it",
    "h' = sum(h) * x": "sum takes the state, and is gated: a scan would multiply a matrix a step, not a number a unit",
    "h' = sigmoid(W @ x) * (U @ h)": (
        "a matrix takes the state, and is gated: a scan would multiply a matrix a step, not a number a unit"
    ),
    "a' = b + x\nb' = c\nc' = d\nd' = e\ne' = 0.1 * a": (
        "5 states need each other, and a scan would multiply blocks of so many coefficients"
    ),
}


@pytest.mark.parametrize(("text", "reason"), NOT_LINEAR.items())
def test_what_is_not_linear_says_why(text, reason):
    assert linear(parse(text)) == reason


LINEAR_CELLS = {
    "sru-input-gates", "qrnn-f", "qrnn-fo", "qrnn-ifo", "mingru", "minlstm", "lru", "rglru",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for name, info in CATALOGUE.items() if info.family == "diagonal"))
def test_which_diagonal_cells_are_linear_is_read_from_their_equations(name):
    assert isinstance(linear(CATALOGUE[name].build(3, 4).program), str) == (name not in LINEAR_CELLS)
