"""What needs no state leaves the loop; what is left computes the same."""

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE
from ostinato.equations.hoist import hoist
from ostinato.equations.parse import parse
from ostinato.equations.program import check
from ostinato.equations.storage import fuse


def split(text: str):
    return hoist(parse(text))


def products(program) -> int:
    return sum(op.fn in ("matmul", "matmul_t", "affine") for op in program.ops)


def test_products_with_the_input_are_done_before_the_loop():
    before, loop = split("h' = tanh(W @ x + U @ h + b)")
    assert [op.fn for op in before.ops] == ["matmul"]
    assert [op.fn for op in loop.ops] == ["matmul", "add", "add", "tanh"]


def test_functions_of_the_input_alone_are_done_before_the_loop():
    before, loop = split("z = sigmoid(W @ x + b)\nh' = (1 - z) * h + z * x")
    assert [op.fn for op in loop.ops] == ["mul", "add"]
    assert "sigmoid" in [op.fn for op in before.ops]


def test_the_loop_takes_what_crosses_by_name():
    before, loop = split("z = sigmoid(W @ x)\nh' = z * h + x")
    assert [label for label, _ in before.outputs] == ["x", "z"]
    assert [i.name for i in loop.role("input")] == ["x", "z"]


def test_the_input_does_not_cross_where_the_loop_does_not_read_it():
    before, loop = split("h' = tanh(W @ x + U @ h)")
    assert "x" not in [label for label, _ in before.outputs]
    assert [i.name for i in loop.parameters] == ["U"]


def test_time_leaves_the_loop():
    before, loop = split("h' = exp(-dt) * h + x")
    assert [op.fn for op in before.ops] == ["neg", "exp"]
    assert not loop.uses_dt


def test_what_depends_on_parameters_alone_is_computed_where_it_is_read():
    before, loop = split("a = exp(p)\nh' = a * h + a * (W @ x)")
    assert [op.fn for op in before.ops] == ["exp", "matmul", "mul"]
    assert [op.fn for op in loop.ops] == ["exp", "mul", "add"]


def test_a_bias_shared_by_several_sums_may_leave_the_loop():
    before, loop = hoist(fuse(parse("r = sigmoid(W @ x + b + U @ h)\nh' = tanh(V @ x + c + Z @ (r * h))")))
    assert "slice" in [op.fn for op in before.ops]
    assert products(loop) == 2


def test_an_output_of_the_input_alone_crosses():
    before, loop = split("h' = tanh(W @ x)")
    assert loop.ops == ()
    assert loop.output("y") == "h'"
    assert dict(before.outputs) == {"h'": "h'"}


def test_a_step_without_the_input_keeps_everything():
    before, loop = split("h' = tanh(U @ h)")
    assert (before.outputs, len(loop.ops)) == ((), 2)


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_no_product_with_the_input_stays_in_the_loop_of_any_cell(name):
    program = CATALOGUE[name].build(3, 4).definition.fused
    before, loop = hoist(program)
    assert check(before)
    assert check(loop)
    assert [op.args[0] for op in before.ops if "x" in op.args[1:2]] == ["weight_ih"]
    assert "weight_ih" not in [i.name for i in loop.inputs]
