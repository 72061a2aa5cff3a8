"""Norms on pre-activations beside loops written out after Ba, Kiros and Hinton (2016, eq. 20 to 22)."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, ROWS, SIZE, STEPS, numbers

import ostinato
from ostinato import GRU, LSTM, ConfigError, LayerNorm, RMSNorm, unroll

X = numbers(STEPS, ROWS, SIZE)


def shaken(cell):
    """Return a cell whose gains and shifts are no longer ones and zeros."""
    with torch.no_grad():
        for k, (name, parameter) in enumerate(cell.named_parameters()):
            if name.startswith(("gain", "shift")):
                parameter.add_(0.3 * numbers(*parameter.shape, seed=40 + k))
    return cell


def normed(values, gain, norm):
    """Normalise the products of each gate by themselves."""
    return norm(values.view(ROWS, -1, SIZE), (SIZE,), eps=1e-5).flatten(1) * gain


@pytest.mark.parametrize(("kind", "norm"), [(LayerNorm, F.layer_norm), (RMSNorm, F.rms_norm)])
def test_an_lstm_is_the_paper_s_gate_by_gate(kind, norm):
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    made = shaken(kind(cell, state=True))
    outputs, _ = unroll(made, X)
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for k, x in enumerate(X):
        gates = normed(F.linear(x, cell.weight_ih), made.gain_ih, norm) + cell.bias_ih
        gates = gates + normed(F.linear(h, cell.weight_hh), made.gain_hh, norm) + cell.bias_hh
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * (normed(c, made.gain_c_next, norm) + made.shift_c_next).tanh()
        torch.testing.assert_close(outputs[k], h)


def test_a_gru_normalises_both_products_of_its_candidate():
    cell = GRU(SIZE, SIZE, dtype=DOUBLE)
    made = shaken(LayerNorm(cell, bias=True))
    _, last = unroll(made, X)
    h = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for x in X:
        own = normed(F.linear(x, cell.weight_ih), made.gain_ih, F.layer_norm) + made.shift_ih + cell.bias_ih
        old = normed(F.linear(h, cell.weight_hh), made.gain_hh, F.layer_norm) + made.shift_hh + cell.bias_hh
        (a, b, c), (d, e, f) = own.chunk(3, -1), old.chunk(3, -1)
        z = (b + e).sigmoid()
        h = (1 - z) * (c + (a + d).sigmoid() * f).tanh() + z * h
    torch.testing.assert_close(last, h)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"gain_ih", "gain_hh"}),
        ({"of": "recurrent"}, {"gain_hh"}),
        ({"of": "input", "bias": True}, {"gain_ih", "shift_ih"}),
        ({"of": ["U_f", "U_i"]}, {"gain_hh"}),
        ({"of": "recurrent", "state": True}, {"gain_hh", "gain_c_next", "shift_c_next"}),
    ],
)
def test_its_parameters_are_those_of_what_is_normalised(settings, names):
    made = LayerNorm(LSTM(3, 4), **settings)
    assert {name for name, _ in made.named_parameters() if "." not in name} == names
    assert all((p == 1).all() for n, p in made.named_parameters() if n.startswith("gain"))


def test_single_matrices_have_gains_as_long_as_their_products():
    made = LayerNorm(LSTM(3, 4), of=["U_f", "U_i"])
    assert made.gain_hh.shape == (8,)


def test_gains_start_where_they_are_told():
    assert (RMSNorm(GRU(3, 4), gain=0.1).gain_hh == 0.1).all()


def test_products_for_the_output_alone_are_no_pre_activations():
    cell = ostinato.cell("h' = tanh(W @ x + U @ h)\ny = V @ h' + b", SIZE, SIZE)
    assert LayerNorm(cell).matrices == ("W", "U")
    assert LayerNorm(cell, of="V").matrices == ("V",)


def test_a_layer_in_front_of_the_state_keeps_what_is_carried():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    program = LayerNorm(cell, of="input", state=True).bind().definition.program
    assert program.output("c'") == "c'"


def test_a_large_scale_of_the_weights_changes_nothing():
    cell = ostinato.cell("h' = tanh(W @ x + U @ h + b)", SIZE, SIZE, dtype=DOUBLE)
    made = RMSNorm(cell)
    expected = unroll(made, X)[0]
    with torch.no_grad():
        cell.U.mul_(1000)
        cell.W.mul_(1000)
    torch.testing.assert_close(unroll(made, X)[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("h' = u * h + x", {}, r"no input or recurrent products .*It has no product with a matrix at all"),
        ("h' = u * h + W @ x", {"of": "recurrent"}, r"LayerNorm of: this cell has no recurrent products"),
        (
            "h' = tanh(W @ x + U @ h)",
            {"of": "UU"},
            r"'UU' is no matrix of this cell\. Possible are input, recurrent, W, U",
        ),
        ("h' = tanh(W @ x + U @ h)", {"state": True}, r"LayerNorm state: no equation reads a next state"),
    ],
)
def test_a_cell_without_such_products_is_refused(text, settings, message):
    sizes = (4, 4) if "+ x" in text else (3, 4)
    with pytest.raises(ConfigError, match=message):
        LayerNorm(ostinato.cell(text, *sizes), **settings)
