"""The adjoint of a step is a program like any other."""

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE
from ostinato.equations.differentiate import differentiate, gradient_name
from ostinato.equations.parse import parse
from ostinato.equations.program import check


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_the_adjoint_of_every_cell_passes_its_check(name):
    program = CATALOGUE[name].build(3, 4).program
    adjoint = differentiate(program)
    assert check(adjoint) is adjoint
    wanted = {i.name for i in program.inputs if i.role != "constant"}
    assert {label for label, _ in adjoint.outputs} == wanted


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_every_gradient_has_the_shape_of_what_it_is_the_gradient_of(name):
    program = CATALOGUE[name].build(3, 4).program
    adjoint = differentiate(program)
    found = {label: adjoint.shape(value) for label, value in adjoint.outputs}
    assert found == {label: program.shape(label) for label in found}


def test_a_gradient_arrives_for_the_output_and_for_each_next_state():
    arriving = differentiate(parse("c' = c + x\nh' = tanh(c')")).role("gradient")
    assert [i.name for i in arriving] == [gradient_name(label) for label in ("y", "c'", "h'")]


def test_a_state_called_y_takes_two_gradients_of_different_names():
    arriving = differentiate(parse("h = tanh(W @ x)\ny' = V @ h + y")).role("gradient")
    assert [i.name for i in arriving] == ["d y", "d y'"]


@pytest.mark.parametrize("reduced", ["sum(W @ tanh(V @ x))", "mean(W @ tanh(V @ x))", "sum(W @ x) * mean(V @ h)"])
def test_what_a_reduction_reads_gets_a_gradient_of_its_own_size(reduced):
    program = parse(f"h' = h + {reduced}")
    adjoint = differentiate(program)
    assert {n: adjoint.shape(v) for n, v in adjoint.outputs} == {n: program.shape(n) for n, _ in adjoint.outputs}


def test_a_constant_has_no_gradient():
    assert "a" not in dict(differentiate(parse("a = 2\nh' = a * h + x")).outputs)


def test_time_has_a_gradient():
    assert differentiate(parse("h' = exp(-dt) * h")).output("dt")


def test_no_gradient_flows_into_a_comparison():
    program = differentiate(parse("h' = where(W @ x > 0, h, 0)"))
    assert "W" not in dict(program.outputs)


def test_nothing_is_computed_that_no_gradient_needs():
    adjoint = differentiate(parse("h' = x + h"))
    assert [op.fn for op in adjoint.ops] == ["add"]


def test_shared_pieces_of_gradients_are_computed_once():
    adjoint = differentiate(parse("h' = tanh(W @ x + U @ h + b)"))
    assert [op.fn for op in adjoint.ops].count("tanh") == 1
    assert dict(adjoint.outputs)["b"] in adjoint.by_name
    assert len({(op.fn, op.args) for op in adjoint.ops}) == len(adjoint.ops)
