"""A cell from equations: its arguments, its attributes, and what it refuses."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import ostinato
from ostinato import GRU, LSTM, ConfigError, Elman, EquationCell, EquationError, unroll
from ostinato.cells.catalogue import build_cell
from ostinato.cells.equation_cell import cell_class, program_of
from ostinato.cells.foundations.jordan import Jordan
from ostinato.cells.gated.lstm import ProjectedLSTM

ELMAN = "h' = tanh(W @ x + U @ h + b)"
LEAKY = "leak = 0.3\nh' = leak * h + (1 - leak) * tanh(W @ x + U @ h)"


class MinimalGated(EquationCell):
    """The cell of the design's first page."""

    equations = """
        f  = sigmoid(W_f @ x + U_f @ h + b_f)
        g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
        h' = (1 - f) * h + f * g
    """


# from text to cell


def test_a_class_of_three_lines_is_a_cell():
    cell = MinimalGated(4, 8)
    assert {n: tuple(p.shape) for n, p in cell.named_parameters()} == {
        "weight_ih": (16, 4),
        "weight_hh": (8, 8),
        "U_g": (8, 8),
        "bias": (16,),
    }
    assert cell(torch.zeros(3, 4))[0].shape == (3, 8)


def test_a_text_is_a_cell():
    cell = ostinato.cell(ELMAN, input_size=32, hidden_size=128)
    assert isinstance(cell, EquationCell)
    assert cell.weight_hh.shape == (128, 128)


def test_a_mistake_in_a_text_shows_before_the_cell_is_built():
    with pytest.raises(EquationError, match="line 1, column 6: the function 'tan' is not known"):
        cell_class("h' = tan(x)")


@pytest.mark.parametrize("text", [None, b"h' = x", ["h' = x"], 3])
def test_what_is_no_text_is_refused_as_equations(text):
    with pytest.raises(EquationError, match="equations are text, got"):
        ostinato.cell(text, 3, 4)


def test_a_class_without_equations_says_so():
    with pytest.raises(EquationError, match="there is no equation"):
        EquationCell(3, 4)


def test_one_text_is_read_once():
    assert program_of(cell_class(ELMAN)) is program_of(cell_class(ELMAN))
    assert ostinato.cell(ELMAN, 3, 4).definition is ostinato.cell(ELMAN, 3, 4).definition


@pytest.mark.parametrize("cell", ["elman", Elman, "h' = tanh(W @ x + b + U @ h + d)"], ids=["name", "class", "text"])
def test_a_cell_is_built_from_its_name_its_class_or_its_text(cell):
    torch.manual_seed(0)
    built = build_cell(cell, 3, 4)
    assert {n: tuple(p.shape) for n, p in built.named_parameters()} == {
        "weight_ih": (4, 3),
        "weight_hh": (4, 4),
        "bias_ih": (4,),
        "bias_hh": (4,),
    }


@pytest.mark.parametrize(("name", "near"), [("lstn", "lstm"), ("LSTM", "lstm"), ("gru-reset", "gru-reset-before")])
def test_an_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(ConfigError, match=rf"unknown cell '{name}'\. Known are .* Did you mean '{near}'\?"):
        build_cell(name, 3, 4)


@pytest.mark.parametrize("cell", [None, 3, int])
def test_what_is_no_cell_is_refused(cell):
    with pytest.raises(ConfigError, match="A cell is a name, the text of its equations, or a class"):
        build_cell(cell, 3, 4)


# sizes


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "3", math.nan])
@pytest.mark.parametrize("argument", ["input_size", "hidden_size"])
def test_a_size_is_a_whole_number_of_at_least_one(argument, size):
    with pytest.raises(ConfigError, match=rf"{argument}: .* was given\. A size is"):
        Elman(**{"input_size": 3, "hidden_size": 4, argument: size})


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
def test_a_further_size_is_a_whole_number_of_at_least_one(size):
    with pytest.raises(ConfigError, match=r"proj_size: .* was given\. A size is"):
        ProjectedLSTM(3, 4, proj_size=size)


def test_a_size_may_be_numpy_s():
    cell = Elman(np.int64(3), np.int32(4))
    assert (cell.input_size, type(cell.input_size)) == (3, int)


def test_a_missing_size_is_named():
    with pytest.raises(ConfigError, match=r"size P: no number was given for it\..*Pass proj_size="):
        ProjectedLSTM(3, 4)


def test_a_size_of_the_user_s_own_is_its_own_keyword():
    cell = ostinato.cell("c : K\nc' = tanh(W @ x + c)\nh' = h + U @ c'\ny = h'", 3, 4, K=6)
    assert cell.definition.states == {"h": 4, "c": 6}
    with pytest.raises(ConfigError, match="Pass K="):
        ostinato.cell("c : K\nc' = tanh(W @ x + c)", 3, 4)


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match=r"size H//2: H = 5 does not divide by 2\. Choose a size that divides"):
        ostinato.cell(ELMAN, 3, 5, sizes={"h": "H//2"})


def test_a_cell_that_adds_its_input_to_its_state_needs_both_equal():
    with pytest.raises(ConfigError, match=r"hidden_size: 4, with input_size 3\. .*Pass hidden_size=3"):
        ostinato.cell("h' = tanh(U @ h + x)", 3, 4)
    assert ostinato.cell("h' = tanh(U @ h + x)", 3, 3).weight_hh.shape == (3, 3)


def test_the_output_of_jordan_may_have_another_size():
    assert Jordan(3, 4).output_size == 4
    cell = Jordan(3, 4, output_size=2)
    assert (cell.output_size, cell.definition.states, cell.weight_hh.shape) == (2, {"y": 2}, (4, 2))


def test_a_resized_cell_keeps_the_sizes_that_do_not_follow():
    assert ProjectedLSTM(3, 4, proj_size=2).resized(5, 6).definition.numbers == {"D": 5, "H": 6, "P": 2}
    assert Jordan(3, 4, output_size=2).resized(5, 6).output_size == 2
    assert Jordan(3, 4).resized(5, 6).output_size == 6


# constants


def test_a_constant_has_the_value_of_the_equation_unless_it_is_given():
    assert ostinato.cell(LEAKY, 3, 4).constants == {"leak": 0.3}
    assert ostinato.cell(LEAKY, 3, 4, leak=0.9).constants == {"leak": 0.9}


def test_a_constant_changes_the_step():
    held = ostinato.cell(LEAKY, 3, 4, leak=1)
    state = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(held(torch.ones(2, 3), state)[0], state)


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_a_constant_that_is_set_later_counts_from_then_on(engine):
    x = torch.randn(5, 2, 3)
    cell = ostinato.CATALOGUE["leaky"].build(3, 4)
    first, _ = ostinato.unroll(cell, x, engine=engine)
    cell.leak = 0.25
    other = ostinato.CATALOGUE["leaky"].build(3, 4, leak=0.25)
    other.load_state_dict(cell.state_dict())
    assert cell.leak == 0.25
    assert torch.equal(ostinato.unroll(cell, x, engine=engine)[0], ostinato.unroll(other, x, engine=engine)[0])
    assert not torch.equal(ostinato.unroll(cell, x, engine=engine)[0], first)


def test_a_constant_that_is_set_later_is_checked_as_one_that_is_given():
    cell = ostinato.CATALOGUE["echo-state"].build(3, 4)
    with pytest.raises(ConfigError, match="spectral_radius = -1 was given"):
        cell.spectral_radius = -1.0
    with pytest.raises(ConfigError, match="A constant is a number"):
        cell.leak = "much"


def test_a_constant_is_printed():
    assert repr(ostinato.cell(LEAKY, 3, 4, leak=0.25)) == "Equations(3, 4, leak=0.25)"


def test_a_resized_cell_keeps_its_constants():
    assert ostinato.cell(LEAKY, 3, 4, leak=0.9).resized(5, 6).constants == {"leak": 0.9}


def test_a_constant_is_no_parameter():
    assert "leak" not in ostinato.cell(LEAKY, 3, 4).state_dict()


@pytest.mark.parametrize("value", ["much", None, True, [0.1]])
def test_a_constant_is_a_number(value):
    with pytest.raises(ConfigError, match=r"leak: .* was given\. A constant is a number"):
        ostinato.cell(LEAKY, 3, 4, leak=value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_constants_and_numbers_do_not_change_the_type_of_the_compute(dtype):
    text = "t = 2\na = exp(-1 / t)\nh' = a * h + where(x > 0, 0.1, t) * (W @ x) + max(t, 1) * min(x, 0.5)"
    cell = ostinato.cell(text, 3, 3, dtype=dtype)
    output, state = cell(torch.ones(2, 3, dtype=dtype))
    assert (output.dtype, state.dtype) == (dtype, dtype)


@pytest.mark.parametrize("expression", ["1 / t", "exp(1000 / (t + 1e-3))", "(t - 1) ** 0.5", "log(t)"])
def test_a_constant_out_of_range_gives_inf_or_nan_not_an_exception(expression):
    cell = ostinato.cell(f"t = 1\nh' = h + ({expression}) * x", 3, 3, t=0)
    assert not cell(torch.ones(2, 3))[0].isfinite().any()


# keywords


@pytest.mark.parametrize(
    ("keyword", "near"),
    [("bais", "bias"), ("initializers", "initialisers"), ("leek", "leak"), ("hidden", "hidden_size")],
)
def test_an_unknown_keyword_suggests_the_nearest(keyword, near):
    with pytest.raises(ConfigError, match=rf"unknown keyword '{keyword}'\. Known are .*Did you mean '{near}'\?"):
        ostinato.cell(LEAKY, 3, 4, **{keyword: 1})


@pytest.mark.parametrize("kind", [LSTM, GRU, Elman])
def test_a_size_the_equations_do_not_use_is_an_unknown_keyword(kind):
    with pytest.raises(ConfigError, match="unknown keyword 'output_size'"):
        kind(3, 4, output_size=5)


@pytest.mark.parametrize("name", ["bias", "device", "dtype", "initialisers", "self"])
def test_a_constant_named_as_a_keyword_of_every_cell_is_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}' names two settings"):
        ostinato.cell(f"{name} = 0.5\nh' = {name} * h + x", 3, 3)


def test_a_constant_named_as_a_size_is_refused():
    with pytest.raises(ConfigError, match="'K' names two settings"):
        ostinato.cell("K = 0.5\nc : K\nc' = K * c + W @ x", 3, 3, K=2)


@pytest.mark.parametrize(
    "name", ["training", "forward", "step", "to", "float", "definition", "program", "constants", "input_size", "bind"]
)
def test_a_parameter_named_as_something_every_module_has_is_refused(name):
    with pytest.raises(ConfigError, match=f"the parameter '{name}' has the name of something every module has"):
        ostinato.cell(f"h' = tanh(W @ x + U @ h + {name})", 3, 4)


@pytest.mark.parametrize("name", ["training", "forward", "parameters", "count", "index"])
def test_a_value_or_state_may_have_any_name(name):
    cell = ostinato.cell(f"{name}' = tanh(W @ x + U @ {name})\nc' = c + {name}'", 3, 4)
    _, state = cell(torch.ones(2, 3))
    assert getattr(state, name).shape == (2, 4)


# attributes


def test_symbols_are_rows_of_stored_tensors():
    cell = LSTM(3, 4)
    assert torch.equal(cell.W_g, cell.weight_ih[8:12])
    assert torch.equal(cell.d_o, cell.bias_hh[12:])


def test_a_gradient_reaches_the_stored_tensor_through_a_symbol():
    cell = LSTM(3, 4)
    cell.W_f.sum().backward()
    assert cell.weight_ih.grad.sum(1).tolist() == [0] * 4 + [3] * 4 + [0] * 8


@pytest.mark.parametrize("value", [torch.zeros(8, 4), torch.nn.Parameter(torch.zeros(8, 4)), None])
def test_a_symbol_cannot_be_assigned_which_would_change_nothing(value):
    cell = ostinato.LSTM(4, 8)
    with pytest.raises(ConfigError, match=r"'W_f' was assigned. It stands for rows of weight_ih. Write into them"):
        cell.W_f = value


def test_writing_into_a_symbol_writes_into_the_stored_tensor():
    cell = ostinato.LSTM(4, 8)
    with torch.no_grad():
        cell.W_f.copy_(torch.full((8, 4), 3.0))
    assert (cell.weight_ih[8:16] == 3).all()
    assert (cell.weight_ih[:8] != 3).all()


def test_a_cell_made_from_a_text_survives_pickling():
    cell = ostinato.cell("c' = c + W @ x\nh' = a * tanh(c')\na = 2.0", 4, 8, a=3.0)
    again = pickle.loads(pickle.dumps(cell))
    assert type(again) is type(cell)
    assert again.constants == {"a": 3.0}
    x = torch.randn(2, 4)
    assert_close(again(x), cell(x), rtol=0, atol=0)


def test_a_class_below_one_made_from_a_text_stays_itself_when_copied():
    class Mine(cell_class(ELMAN)):
        pass

    assert type(copy.deepcopy(Mine(3, 4))) is Mine


def test_a_named_state_survives_pickling():
    state = ostinato.LSTM(4, 8).initial_state(2)
    again = pickle.loads(pickle.dumps(state))
    assert type(again) is type(state)
    assert_close(again, state)


def test_a_missing_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'W_q'"):
        _ = LSTM(3, 4).W_q


def test_a_symbol_of_a_cell_without_bias_is_missing():
    with pytest.raises(AttributeError, match="b_f"):
        _ = LSTM(3, 4, bias=False).b_f


def test_several_states_are_a_named_tuple_and_one_is_a_tensor():
    assert LSTM(3, 4).initial_state(2)._fields == ("h", "c")
    assert GRU(3, 4).initial_state(2).shape == (2, 4)


def test_a_cell_is_made_where_and_as_it_is_asked():
    cell = LSTM(3, 4, device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in cell.parameters()} == {("meta", torch.float64)}


def test_the_initial_state_follows_the_weights_unless_told():
    cell = LSTM(3, 4, dtype=torch.float64)
    assert cell.initial_state(2).h.dtype == torch.float64
    assert cell.initial_state(2, dtype=torch.float32).h.dtype == torch.float32


def test_the_batch_may_have_more_axes_in_a_step():
    cell = ostinato.cell(ELMAN, 3, 4)
    x, h = torch.ones(2, 5, 3), torch.ones(2, 5, 4)
    torch.testing.assert_close(cell.step(x, h)[0][1], cell.step(x[1], h[1])[0])


# time


def test_a_step_without_the_time_it_needs_says_so():
    cell = ostinato.cell("h' = exp(-dt) * h + x", 3, 3)
    with pytest.raises(ConfigError, match=r"dt: none was given\. The equations use dt, .*Pass dt"):
        cell.step(torch.ones(2, 3), torch.ones(2, 3))


def test_time_is_one_number_a_row():
    cell = ostinato.cell("h' = exp(-dt) * h", 3, 4)
    dt = torch.tensor([0.0, 1.0])
    output, _ = cell(torch.zeros(2, 3), torch.ones(2, 4), dt)
    torch.testing.assert_close(output, torch.exp(-dt)[:, None].expand(2, 4))


def test_time_reaches_each_step_of_an_unroll():
    cell = ostinato.cell("h' = exp(-dt) * h", 3, 4)
    dt = torch.tensor([[0.5, 1.0], [0.25, 2.0]])
    outputs, _ = unroll(cell, torch.zeros(2, 2, 3), torch.ones(2, 4), dt=dt)
    torch.testing.assert_close(outputs[-1, :, 0], torch.exp(-dt.sum(0)))


# unusual equations


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("h' = tanh(U @ h)", id="no input"),
        pytest.param("h' = tanh(W @ x)", id="no memory"),
        pytest.param("h' = x", id="the input itself"),
        pytest.param("h' = tanh(W @ x + U @ c)\nc' = h", id="a state that holds another"),
        pytest.param("h' = tanh(W @ x + U @ h)\ny = h", id="the output before the step"),
        pytest.param("h' = h + 0.1 * x\ny = x", id="the output is the input"),
        pytest.param("h : 1\nh' = 0.5 * h + w * sum(x)", id="a state of one number"),
        pytest.param("h' = where(leak > 0.5, h, b) + x\nleak = 0.3", id="a choice by a constant"),
        pytest.param("h' = W.T @ relu(W @ x + U @ h)", id="a matrix and its transpose"),
        pytest.param("h' = h / (1 + sum(h * h)) + x", id="a quotient by a sum"),
        pytest.param("\n".join(["a0 = x", *(f"a{k + 1} = a{k} + a{k}" for k in range(190)), "h' = tanh(a190)"]),
                     id="values that double"),
        pytest.param("\n".join(["p0 = b", *(f"p{k + 1} = p{k} * p{k}" for k in range(190)), "h' = tanh(p190 * x)"]),
                     id="values of a parameter that double"),
        pytest.param("\n".join(["a0 = W @ x", *(f"a{k + 1} = {'x + ' * 20}a{k}" for k in range(150)), "h' = a150"]),
                     id="a sum over many lines"),
    ],
)  # fmt: skip
def test_unusual_equations_run_the_same_in_and_out_of_the_loop(text):
    cell = ostinato.cell(text, 3, 3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 2, 3, generator=generator, dtype=torch.float64) * 1e-3
    outputs, _ = unroll(cell, inputs)
    state, expected = cell.initial_state(2), []
    for x in inputs:
        output, state = cell.step(x, state)
        expected.append(output)
    torch.testing.assert_close(outputs, torch.stack(expected), rtol=1e-9, atol=1e-12)


def test_numbers_chosen_by_a_comparison_keep_the_precision_of_the_compute():
    cell = ostinato.cell("h' = h + where(x > 0, 0.1, 0.2)", 3, 3, dtype=torch.float64)
    assert cell(torch.ones(1, 3, dtype=torch.float64))[0].tolist() == [[0.1, 0.1, 0.1]]
