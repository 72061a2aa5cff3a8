"""A program as text says all that the program says."""

import math

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato.cells.catalogue import build_cell
from ostinato.cells.definition import definition_of
from ostinato.equations.program import Input, Op, Program
from ostinato.equations.written import read, write


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_a_program_read_back_is_the_one_written(name):
    definition = build_cell(name, 4, 4).definition
    assert read(definition.text) == (definition.program, definition.numbers, None)


def test_the_stored_tensors_of_a_changed_program_come_back_with_it():
    definition = build_cell("gru", 4, 4).definition
    text = write(definition.program, definition.numbers, definition.stacks)
    assert read(text) == (definition.program, definition.numbers, definition.stacks)
    assert definition_of(text).text == text


def test_equal_programs_have_equal_texts_whatever_the_order_of_their_sizes():
    program = build_cell("gru", 4, 4).program
    assert write(program, {"D": 3, "H": 4}) == write(program, {"H": 4, "D": 3})


def test_numbers_that_are_not_finite_come_back():
    inputs = (Input("x", "input", ("D",)), Input("top", "constant", (), math.inf))
    program = Program(inputs, (Op("m", "minimum", ("x", math.inf), ("D",)),), (("y", "m"),))
    assert read(write(program, {"D": 1}))[0] == program
