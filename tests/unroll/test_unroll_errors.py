"""What `unroll` says of arguments that do not fit: where, what was got, what is possible."""

import pytest
import torch
from recurrences import D, H, make, numbers

from ostinato import LSTM, ConfigError, OstinatoError, plan, unroll
from ostinato.unroll.plan import ENGINES

STEPS, BATCH = 5, 2
INPUTS = numbers(STEPS, BATCH, D)


def complaint(name="lstm", inputs=INPUTS, *arguments, **options) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        unroll(make(name), inputs, *arguments, **options)
    return caught.value


def said(error: OstinatoError) -> tuple[str, str, str]:
    return error.where, error.got, error.possible


INPUT_FORM = "Inputs are a tensor (T, B, D): steps, rows, numbers"


@pytest.mark.parametrize(
    ("inputs", "got", "possible"),
    [
        (INPUTS[0], "shape (2, 3)", INPUT_FORM),
        (INPUTS[None], "shape (1, 5, 2, 3)", INPUT_FORM),
        (INPUTS.tolist(), "list, not a tensor", INPUT_FORM),
        (INPUTS.numpy(), "ndarray, not a tensor", INPUT_FORM),
        (INPUTS[..., :2], "2 numbers a step", "The cell takes 3"),
        (INPUTS.long(), "torch.int64", "A cell takes floating-point numbers"),
        (INPUTS.to(torch.complex128), "torch.complex128", "A cell takes floating-point numbers"),
        (INPUTS.float(), "torch.float32", "The cell's weights are torch.float64"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(inputs, got, possible):
    assert said(complaint("lstm", inputs)) == ("inputs", got, possible)


def test_inputs_finer_than_the_weights_are_not_rounded_in_silence():
    with pytest.raises(ConfigError, match=r"torch.float64. The cell's weights are torch.float32. Use inputs.to"):
        unroll(make("lstm", torch.float32), INPUTS)


PAIR = "shape (2, 4), shape (2, 4)"


@pytest.mark.parametrize(
    ("name", "state", "got", "wanted"),
    [
        ("lstm", torch.zeros(BATCH, H), "shape (2, 4)", PAIR),
        ("lstm", (torch.zeros(BATCH, H),) * 3, "shape (2, 4), shape (2, 4), shape (2, 4)", PAIR),
        ("lstm", (torch.zeros(1, H),) * 2, "shape (1, 4), shape (1, 4)", PAIR),
        ("lstm", (torch.zeros(1, BATCH, H),) * 2, "shape (1, 2, 4), shape (1, 2, 4)", PAIR),
        ("lstm", (0.0, 0.0), "float, not a tensor, float, not a tensor", PAIR),
        ("lstm", (), "no tensors", PAIR),
        ("gru", torch.zeros(BATCH, H + 1), "shape (2, 5)", "shape (2, 4)"),
        ("gru", "zero", "str, not a tensor", "shape (2, 4)"),
        ("plain", torch.zeros(BATCH, H), "shape (2, 4)", "shape (2, 4), shape (2, 2, 4)"),
    ],
)  # fmt: skip
def test_states_that_do_not_fit(name, state, got, wanted):
    assert said(complaint(name, INPUTS, state)) == ("state", got, f"This cell's state is {wanted}")


@pytest.mark.parametrize("engine", ["vendor", "native", "eager"])
def test_a_state_is_not_rounded_in_silence(engine):
    state = (torch.zeros(BATCH, H).double(), torch.zeros(BATCH, H).double())
    with pytest.raises(ConfigError) as caught:
        unroll(make("lstm", torch.float32), INPUTS.float(), state, engine=engine)
    assert said(caught.value) == ("state", "torch.float64", "Beside these inputs a state is torch.float32, or narrower")


SHAPE = "It is a tensor (T, B) = (5, 2)"


@pytest.mark.parametrize(
    ("reset", "got", "possible"),
    [
        (torch.zeros(STEPS, BATCH), "torch.float32", "It is bool"),
        (torch.zeros(STEPS, BATCH, dtype=torch.int64), "torch.int64", "It is bool"),
        (torch.zeros(BATCH, STEPS, dtype=torch.bool), "shape (2, 5)", SHAPE),
        (torch.zeros(STEPS, dtype=torch.bool), "shape (5,)", SHAPE),
        ([[True]], "list, not a tensor", SHAPE),
    ],
)
def test_resets_that_do_not_fit(reset, got, possible):
    assert said(complaint(reset=reset)) == ("reset", got, possible)


@pytest.mark.parametrize(
    ("dt", "got", "possible"),
    [
        (None, "none was given", "The equations use dt, the time since the last step"),
        (torch.zeros(STEPS, BATCH, 1), "shape (5, 2, 1)", SHAPE),
        (torch.zeros(BATCH), "shape (2,)", SHAPE),
        (0.1, "float, not a tensor", SHAPE),
    ],
)
@pytest.mark.parametrize("name", ["uses dt", "plain with dt"])
def test_times_that_do_not_fit(name, dt, got, possible):
    assert said(complaint(name, dt=dt)) == ("dt", got, possible)


@pytest.mark.parametrize("lengths", [[1, 6], [-1, 2], [1, 2, 3], [1.0, 2.0], [True, True]])
@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_that_do_not_fit(lengths, reverse):
    assert complaint("uses dt", lengths=lengths, reverse=reverse, dt=INPUTS[..., 0]).where == "lengths"


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("lstm", "str was given"),
        (LSTM, "the class LSTM was given"),
        (torch.nn.LSTMCell(D, H), "LSTMCell was given"),
        (None, "NoneType was given"),
    ],
)
@pytest.mark.parametrize("call", [plan, lambda cell: unroll(cell, INPUTS)], ids=["plan", "unroll"])
def test_what_is_no_cell(call, given, got):
    with pytest.raises(ConfigError, match="cell: ") as caught:
        call(given)
    assert caught.value.got == got


@pytest.mark.parametrize(("engine", "near"), [("vedor", "vendor"), ("Eager", "eager"), ("cuda9", None)])
def test_an_unknown_engine_names_the_known_and_the_nearest(engine, near):
    error = complaint(engine=engine)
    assert said(error) == ("engine", f"unknown engine '{engine}'", f"Known are auto, {', '.join(ENGINES)}")
    assert error.advice == (f"Did you mean '{near}'?" if near else "")


META = torch.device("meta")


@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_inputs_on_another_device_than_the_weights(engine):
    with pytest.raises(ConfigError) as caught:
        unroll(make("lstm").to(META), INPUTS, engine=engine)
    assert said(caught.value) == ("inputs", "they are on cpu", "The cell's weight_ih is on meta")
    assert caught.value.advice == "Use inputs.to('meta') or cell.to('cpu')"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", torch.zeros(BATCH, H, dtype=torch.float64, device=META)),
        ("reset", torch.zeros(STEPS, BATCH, dtype=torch.bool, device=META)),
        ("dt", torch.ones(STEPS, BATCH, device=META)),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_what_is_given_on_another_device_than_the_inputs(engine, name, value):
    given = {"dt": torch.ones(STEPS, BATCH), name: value}
    assert said(complaint("uses dt", INPUTS, engine=engine, **given)) == (
        name, "it is on meta", "The inputs are on cpu",
    )  # fmt: skip
