"""Row functions written out as reductions and single numbers: the same values, the same gradients."""

import numpy as np
import pytest

from ostinato.equations import oracle
from ostinato.equations.differentiate import differentiate, gradient_name
from ostinato.equations.expand import expand
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Input, Op, Program, check

SIZE = 5
EXPANDED = [name for name, row in FUNCTIONS.items() if row.expansion]
ROWS = np.random.default_rng(0).normal(size=(3, SIZE)) * 2
ARRIVING = np.random.default_rng(1).normal(size=(3, SIZE))

every_expansion = pytest.mark.parametrize("fn", EXPANDED)


def program_of(fn: str) -> Program:
    shape = () if FUNCTIONS[fn].kind == "reduction" else (str(SIZE),)
    return check(Program((Input("a", "input", (str(SIZE),)),), (Op("r", fn, ("a",), shape),), (("y", "r"),)))


def gradient(program: Program, arriving: np.ndarray) -> np.ndarray:
    return oracle.evaluate(differentiate(program), {"a": ROWS, gradient_name("y"): arriving})["a"]


def test_every_row_function_and_the_mean_are_written_out():
    assert {name for name, row in FUNCTIONS.items() if row.kind == "row"} | {"mean"} == set(EXPANDED)


@every_expansion
def test_an_expansion_has_no_row_function_left(fn):
    expanded, _ = expand(program_of(fn))
    assert not {op.fn for op in expanded.ops} & set(EXPANDED)


@every_expansion
def test_an_expansion_is_worth_what_it_stands_for(fn):
    expanded, names = expand(program_of(fn))
    assert names["r"] == "r"
    expected = oracle.evaluate(program_of(fn), {"a": ROWS})["y"]
    np.testing.assert_allclose(oracle.evaluate(expanded, {"a": ROWS})["y"], expected, rtol=1e-13)


@every_expansion
def test_an_expansion_has_the_gradient_of_what_it_stands_for(fn):
    arriving = ARRIVING[:, :1] if FUNCTIONS[fn].kind == "reduction" else ARRIVING
    expanded, _ = expand(program_of(fn))
    expected = gradient(program_of(fn), arriving)
    np.testing.assert_allclose(gradient(expanded, arriving), expected, rtol=1e-10, atol=1e-12)


def test_the_largest_is_that_of_each_row():
    program = Program((Input("a", "input", (str(SIZE),)),), (Op("r", "largest", ("a",), ()),), (("y", "r"),))
    np.testing.assert_array_equal(oracle.evaluate(program, {"a": ROWS})["y"], ROWS.max(-1, keepdims=True))


def test_what_two_expansions_share_is_computed_once():
    a = Input("a", "input", (str(SIZE),))
    ops = (
        Op("n", "layer_norm", ("a",), (str(SIZE),)),
        Op("m", "mean", ("a",), ()),
        Op("r", "mul", ("n", "m"), (str(SIZE),)),
    )
    expanded, _ = expand(Program((a,), ops, (("y", "r"),)))
    assert [op.fn for op in expanded.ops].count("sum") == 2
