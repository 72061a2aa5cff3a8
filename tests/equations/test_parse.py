"""What a text that can be read means: roles, sizes, spellings, order."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostinato import EquationError
from ostinato.equations.functions import WRITTEN
from ostinato.equations.parse import parse
from ostinato.equations.program import Program, check

ELMAN = "h' = tanh(W @ x + U @ h + b)"


def shapes(text: str, sizes=None) -> dict:
    """Return the shape of each input."""
    return {i.name: i.shape for i in parse(text, sizes).inputs}


def roles(text: str) -> dict:
    return {i.name: i.role for i in parse(text).inputs}


# roles


def test_names_no_line_defines_are_parameters():
    assert roles(ELMAN) == {"x": "input", "h": "state", "W": "parameter", "U": "parameter", "b": "parameter"}


def test_a_line_that_names_a_number_is_a_constant_with_its_default():
    (leak,) = parse("leak = 0.3\nh' = leak * h + x").role("constant")
    assert (leak.name, leak.default, leak.shape) == ("leak", 0.3, ())


def test_a_constant_may_be_negative():
    assert parse("a = -2\nh' = a * h + x").role("constant")[0].default == -2.0


def test_dt_is_the_time_where_it_is_used():
    assert roles("h' = exp(-dt) * h + x")["dt"] == "time"
    assert parse("h' = exp(-dt) * h + x").uses_dt
    assert not parse(ELMAN).uses_dt


def test_parameters_stand_in_the_order_the_text_names_them():
    assert [p.name for p in parse("h' = tanh(b + U @ h + W @ x)").parameters] == ["b", "U", "W"]


def test_an_input_that_is_not_used_is_still_an_input():
    assert shapes("h' = tanh(U @ h)")["x"] == ("D",)


def test_names_may_be_greek():
    assert shapes("h' = α * tanh(Ω @ x) + β")["Ω"] == ("H", "D")


def test_a_name_of_an_operation_no_user_writes_is_free():
    assert roles("add = W @ x\nh' = tanh(add + mul * h)")["mul"] == "parameter"


# sizes


def test_a_matrix_maps_what_it_multiplies_to_what_it_is_added_to():
    assert shapes(ELMAN) == {"x": ("D",), "h": ("H",), "W": ("H", "D"), "U": ("H", "H"), "b": ("H",)}


def test_adding_x_to_the_state_makes_both_equal():
    assert shapes("h' = tanh(U @ h + x)") == {"x": ("D",), "h": ("D",), "U": ("D", "D")}


def test_sizes_agree_through_any_chain_of_lines():
    assert shapes("a = W @ x\nb = a * m\nh' = tanh(h + b)")["m"] == ("H",)


def test_a_declared_size_reaches_everything_it_is_added_to():
    found = shapes("c : 2*H\nf = tanh(W @ x + b)\nc' = f * c\nh' = U @ c' + h")
    assert (found["c"], found["b"], found["W"], found["U"]) == (("2*H",), ("2*H",), ("2*H", "D"), ("H", "2*H"))


def test_sizes_may_be_declared_beside_the_text():
    assert shapes(ELMAN, {"h": "2*H"}) == shapes(f"h : 2*H\n{ELMAN}")


def test_a_size_may_be_a_whole_number():
    assert shapes(ELMAN, {"h": 7})["W"] == ("7", "D")


@pytest.mark.parametrize(
    ("written", "read"),
    [("H+H", "2*H"), ("H//2", "H//2"), ("3", "3"), ("D + H", "D + H"), ("K", "K"), ("2*H + 1 + 1", "2*H + 2")],
)
def test_a_size_has_one_spelling(written, read):
    assert shapes(f"h : {written}\n{ELMAN}")["b"] == (read,)


def test_a_vector_declared_scalar_is_one_learnable_number():
    assert shapes(f"a : scalar\n{ELMAN} * a")["a"] == ()


def test_a_transposed_matrix_shares_its_numbers():
    assert shapes("h' = tanh(W @ x + b)\ny = W.T @ h'")["W"] == ("H", "D")
    assert [op.fn for op in parse("y = W.T @ h\nh' = tanh(W @ x) + 0 * h").ops].count("matmul_t") == 1


def test_products_group_to_the_right():
    assert parse("h' = A @ B @ x + h") == parse("h' = A @ (B @ x) + h")
    assert shapes("h' = A @ B @ x + h")["B"] == ("H", "D")


def test_a_longer_chain_of_products_groups_to_the_right():
    assert parse("h' = A @ B @ C @ D @ x + h") == parse("h' = A @ (B @ (C @ (D @ x))) + h")


def test_one_matrix_may_multiply_twice():
    assert shapes("h' = tanh(U @ h + U @ tanh(U @ h))") == {"x": ("D",), "h": ("H",), "U": ("H", "H")}


def test_a_sum_is_one_number_and_stands_beside_a_vector():
    assert parse("s = sum(h * x)\nh' = h + s * x").shape("s") == ()


# states and output


def test_the_output_is_the_first_state():
    assert parse("c' = x + c\nh' = tanh(c')").output("y") == "c'"


def test_a_line_may_define_the_output():
    program = parse(f"{ELMAN}\ny = V @ h'")
    assert program.output("y") == "y"
    assert program.shape("y") == ("H",)


def test_the_state_the_output_shows_stands_first():
    assert [s.name for s in parse("c' = x + c\nm' = m + c\nh' = tanh(c')\ny = h'").states] == ["h", "c", "m"]


def test_the_output_may_be_the_state_before_the_step():
    assert parse(f"{ELMAN}\ny = h").output("y") == "h"


def test_a_state_may_be_called_y():
    program = parse("h = tanh(W @ x + U @ y)\ny' = V @ h")
    assert program.outputs == (("y", "y'"), ("y'", "y'"))


def test_a_second_state_called_y_is_not_the_output():
    program = parse(f"{ELMAN}\ny' = V @ h' + y")
    assert dict(program.outputs) == {"y": "h'", "h'": "h'", "y'": "y'"}


def test_a_state_may_take_the_place_of_another():
    program = parse("h' = tanh(W @ x + U @ c)\nc' = h")
    assert program.output("c'") == "h"


def test_the_next_value_of_a_state_may_be_used():
    assert "c'" in parse("c' = x + c\nh' = tanh(c') + h").ops[-2].args


# spellings


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("h′ = tanh(W @ x + U @ h + b)", id="a prime of typography"),
        pytest.param("h’ = tanh(W @ x + U @ h + b)", id="a curly quote"),
        pytest.param("h' = tanh(W · x + U ⋅ h + b)", id="a dot after a capital is a product with a matrix"),
        pytest.param("h' = tanh(W·x + U·h + b)", id="dots without blanks"),
        pytest.param("h' = tanh(W @ x + U @ h + b)  # Elman", id="a comment"),
        pytest.param("h' = tanh(W @ x + U @ h + b)  # \U0001f469\u200d\U0001f52c", id="a joined emoji in a comment"),
        pytest.param("# Elman (1990)\n\n   h' = tanh(W @ x + U @ h + b)\n", id="comments, blank lines and indentation"),
        pytest.param("h' = tanh(W @ x +\n          U @ h\n   + b)", id="lines that go on in brackets"),
        pytest.param("h' = tanh(W @ x +   # the input\n\n   U @ h  # the state\n   + b)", id="comments in brackets"),
        pytest.param("h' = tanh(W @ x + U @ h + b)\r\n", id="Windows' line end"),
        pytest.param("h'\t=\ttanh(W @\u00a0x + U @ h + b)", id="tabs and spaces that do not break"),
        pytest.param("h' = ((tanh((W @ x) + (U @ h) + b)))", id="more brackets than needed"),
        pytest.param("h' = +tanh(W @ x + U @ h + b)", id="a plus in front"),
        pytest.param("h'=tanh(W@x+U@h+b)", id="no blanks"),
        pytest.param("\ufeffh' = tanh(W @ x + U @ h + b)", id="the mark some editors begin a file with"),
    ],
)
def test_another_spelling_is_the_same_cell(text):
    assert parse(text) == parse(ELMAN)


@pytest.mark.parametrize(
    ("paper", "plain"),
    [
        ("h' = σ(x) ⊙ h", "h' = sigmoid(x) * h"),
        ("h' = f · h + x", "h' = f * h + x"),
        ("h' = σ(x) · h", "h' = sigmoid(x) * h"),
        ("h' = x ∘ h × 2", "h' = x * h * 2"),
        ("h' = x − h", "h' = x - h"),
        ("h' = max(x, h) + min(x, h)", "h' = maximum(x, h) + minimum(x, h)"),
        ("h' = LN(x) + h", "h' = layer_norm(x) + h"),
        ("h' = W.T · h + x", "h' = W.T @ h + x"),
    ],
)
def test_signs_of_papers_are_read(paper, plain):
    assert parse(paper) == parse(plain)


def test_minus_a_number_is_a_number():
    assert parse("h' = x ** -2 + h").ops[0].args == ("x", -2.0)


def test_numbers_alone_are_worked_out():
    assert parse("h' = (1 - 0.25) * 2 * x + h").ops[0].args == (1.5, "x")


def test_a_power_binds_tighter_than_a_minus():
    assert [op.fn for op in parse("h' = -x ** 2").ops] == ["pow", "neg"]


def test_the_same_piece_is_computed_once():
    assert [op.fn for op in parse("h' = tanh(W @ x) * h + tanh(W @ x)").ops] == ["matmul", "tanh", "mul", "add"]


# programs


def test_a_program_prints_each_input_operation_and_output():
    printed = str(parse("leak = 0.125\nf = sigmoid(W @ x)\nh' = where(f > leak, h, 1e-7)"))
    assert printed.splitlines() == [
        "input     x: D",
        "state     h: H",
        "parameter W: H x D",
        "constant  leak: number",
        "%1       = W @ x                                    H",
        "f        = sigmoid(%1)                              H",
        "%2       = f > leak                                 H",
        "h'       = where(%2, h, 1e-07)                      H",
        "output    y = h'",
        "output    h' = h'",
    ]


def test_equal_texts_give_equal_programs_and_hashes():
    assert parse(ELMAN) == parse(ELMAN)
    assert len({parse(ELMAN), parse(ELMAN + " "), parse("h' = relu(W @ x)")}) == 2


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        pytest.param(Program(parse(ELMAN).inputs * 2, (), ()), "x is defined twice", id="an input twice"),
        pytest.param(Program(parse(ELMAN).inputs, parse(ELMAN).ops * 2, ()), "is defined twice", id="a value twice"),
        pytest.param(
            Program(parse(ELMAN).inputs, parse(ELMAN).ops[::-1], ()), "not defined yet", id="a value before its use"
        ),
        pytest.param(Program(parse(ELMAN).inputs, (), (("y", "z"),)), "nothing defines", id="an output of nothing"),
        pytest.param(
            Program(parse(ELMAN).inputs, (), (("h'", "x"),)),
            "comes out with another size",
            id="a state of another size",
        ),
    ],
)
def test_a_program_of_ours_that_is_wrong_is_our_mistake(program, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check(program)


# whatever is typed

PIECES = st.sampled_from(
    ["h'", "h", "x", "W", "U", "b", "c'", "y", "dt", "=", " = ", "\n", "\r\n", ":", "H", "2*H", "scalar", "+", "-", "*",
     "/", "**", "@", ".T", "(", ")", "[", "]", "{", "}", ",", ";", ">", "<", "==", ":=", "#", "'", '"', "′", "σ",
     "⊙", "·",
     "0", "1", "0.5", "1e9", "3j", " ", "\t", "\\", ".", "lambda ", "if ", " else ", "not ", "in",
     "_", "é", "where(x > 0, ",
     "tanh(", "sum(", "h' = tanh(W @ x + U @ h)\n", "f = ", "f", "\x00", "ʹ", "…", *[f"{name}(" for name in WRITTEN]]
)  # fmt: skip
STEADILY = settings(max_examples=400, derandomize=True, deadline=None, database=None)


def answer(text):
    """Read a text; return the program, checked, or the error that refused it."""
    try:
        program = parse(text)
    except EquationError as refused:
        return refused
    return check(program)


@STEADILY
@given(st.lists(PIECES, max_size=40).map("".join))
@example("h' = x" + "\n" * 500)
@example("x" * 2_000)
def test_pieces_of_equations_in_any_order_are_read_or_refused(text):
    answer(text)


@STEADILY
@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_good_cell_with_anything_in_the_middle_is_read_or_refused(text):
    answer(f"f = sigmoid(W @ x + {text}b)\nh' = f * h")


@STEADILY
@given(st.text(max_size=200))
def test_any_characters_are_read_or_refused_at_a_place_inside_the_text(text):
    result = answer(text)
    lines = re.split("\r\n|\r|\n", text)
    if isinstance(result, EquationError):
        assert 1 <= result.line <= len(lines)
        assert 1 <= result.column <= len(lines[result.line - 1]) + 1


@STEADILY
@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=30))
def test_any_characters_in_a_name_are_read_or_refused(text):
    answer(f"h' = tanh(W @ x + {text})")


@STEADILY
@given(st.one_of(st.binary(), st.integers(), st.none(), st.lists(st.text()), st.floats()))
def test_what_is_no_text_is_refused(value):
    with pytest.raises(EquationError, match="equations are text"):
        parse(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(f"a{k + 1} = a{k} + a{k}" for k in range(190)), id="values that double"),
        pytest.param("h' = " + "(" * 40 + "x" + ")" * 40, id="brackets as deep as allowed"),
        pytest.param("h' = " + " + ".join(["x"] * 99), id="a sum as long as allowed"),
        pytest.param("h' = x\n" + "".join(f"c{k}' = {'x + ' * 20}c{k}\n" for k in range(199)), id="a long text"),
        pytest.param("\n".join(["h' = " + "x @ " * 400] * 10), id="many products"),
        pytest.param("h' = " + "W @ " * 90 + "x", id="a chain of products"),
        pytest.param("h' = (" + "\n" * 1_900 + "x)", id="lines of nothing in a bracket"),
        pytest.param("h' = x" + "'" * 1_900, id="primes"),
        pytest.param("\t" * 19_000 + "h' = x", id="indentation"),
        pytest.param("#" * 19_000 + "\nh' = x", id="a comment"),
        pytest.param("h' = " + "é" * 1_900, id="a long name"),
    ],
)
def test_no_text_takes_long(text):
    start = time.process_time()
    answer(text)
    assert time.process_time() - start < 1.0
