"""Programs written again: names stay, what is new finds a free one, and what is found of them is right."""

import pytest

from ostinato import GRU, LSTM
from ostinato.cells.equation_cell import program_of
from ostinato.equations.parse import parse
from ostinato.equations.program import check
from ostinato.equations.rewriting import Rewriting, needed_for_states, operand_kinds, reached, with_numbers
from ostinato.equations.storage import fuse, stacks

NUMBERS = {"D": 3, "H": 4}


@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_a_copy_with_nothing_changed_is_the_same_program(cell):
    program = program_of(cell)
    book = Rewriting(program)
    book.copy(*program.ops)
    assert book.finish() == program


def test_a_value_is_replaced_from_where_it_is_set():
    program = parse("g = tanh(W @ x)\nh' = g * h + g")
    book = Rewriting(program)
    for op in program.ops:
        book.copy(op)
        if op.out == "g":
            book.values["g"] = book.write("a + a", "g_twice", a="g")
    assert [str(op).split("  ")[0] for op in book.finish().ops] == ["%1", "g", "g_twice", "%2", "h'"]
    assert check(book.finish())


def test_new_names_make_way_for_old_ones():
    book = Rewriting(parse("h_kept = tanh(W @ x)\nh' = h_kept + h"))
    assert book.take("h_kept", "mask", ("H",)) == "h_kept_"
    assert book.free("h'") == "h_'"
    assert book.free("new") == "new"


def test_something_new_may_have_the_name_of_what_is_called_otherwise():
    program = parse("h' = tanh(W @ x + h)")
    book = Rewriting(program)
    book.rename("h'", "h_made'")
    book.copy(*program.ops)
    changed = book.finish({"h'": book.write("a / 2", "h'", a=book.new("h'"))})
    assert changed.output("h'") == "h'"
    assert changed.by_name["h'"].args == ("h_made'", 2.0)
    assert changed.output("y") == "h_made'"


def test_numbers_stand_for_sizes_in_programs_and_their_tensors():
    program = program_of(GRU)
    plain, entries = with_numbers(program, stacks(program), NUMBERS)
    assert {size for e in plain.by_name.values() for size in e.shape} == {"3", "4"}
    assert [e.shape for e in entries] == [("12", "3"), ("12", "4"), ("12",), ("12",)]
    assert check(fuse(plain, entries))


def test_stored_tensors_stay_where_an_operand_is_another_value():
    program = program_of(LSTM)
    plain, entries = with_numbers(program, stacks(program), NUMBERS)
    book = Rewriting(plain)
    book.values["h"] = book.write("a * 0.5", a="h")
    book.copy(*plain.ops)
    fused = fuse(book.finish(), entries)
    assert [p.name for p in fused.parameters] == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    assert sum(op.fn == "affine" for op in fused.ops) == 2


def test_what_is_only_there_for_the_output_is_told():
    program = parse("h' = tanh(W @ x + U @ h)\na = V @ h'\ny = a + b")
    needed = needed_for_states(program)
    assert "h'" in needed
    assert "a" not in needed
    assert {"x", "h'", "a"} <= reached(program, ["x"])


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("h' = tanh(W @ x + U @ h)\ny = V @ h'", {"W": "input", "U": "recurrent", "V": "output"}),
        ("h' = P @ tanh(W @ x + U @ h)", {"P": "output", "W": "input", "U": "recurrent"}),
        ("h' = tanh(U @ (U @ h) + W @ x)", {"U": "recurrent", "W": "input"}),
    ],
)
def test_matrices_are_told_by_what_their_products_read(text, kinds):
    assert operand_kinds(parse(text)) == kinds
