"""Recurrent dropout beside a loop written out with the same masks."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, ROWS, SIZE, STEPS, numbers, seeded

import ostinato
from ostinato import GRU, LSTM, ConfigError, RecurrentDropout, unroll

X = numbers(STEPS, ROWS, SIZE)


@pytest.mark.parametrize("per", ["step", "sequence"])
def test_an_lstm_leaves_out_what_it_would_write(per):
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    _, state = unroll(RecurrentDropout(cell, 0.4, per=per, generator=seeded()), X)
    times = STEPS if per == "step" else 1
    masks = (torch.rand(times, ROWS, SIZE, generator=seeded()) < 0.6).double().expand(STEPS, ROWS, SIZE) / 0.6
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for x, mask in zip(X, masks, strict=True):
        gates = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * (mask * g.tanh())
        h = o.sigmoid() * c.tanh()
    torch.testing.assert_close(tuple(state), (h, c))


def test_a_gru_leaves_out_its_candidate():
    assert RecurrentDropout(GRU(3, 4), 0.2).symbol == "n"


def test_any_value_of_the_equations_may_be_left_out():
    text = "u = tanh(W @ x + U @ h)\nv = u * u\nh' = 0.5 * h + v"
    made = RecurrentDropout(ostinato.cell(text, SIZE, SIZE, dtype=DOUBLE), 0.5, symbol="v", generator=seeded())
    _, last, states = unroll(made, X, return_states=True)
    before = torch.cat([torch.zeros_like(last)[None], states[:-1]])
    kept = torch.rand(STEPS, ROWS, SIZE, generator=seeded()) < 0.5
    torch.testing.assert_close(states[~kept], 0.5 * before[~kept])
    assert (states != 0.5 * before)[kept].all()


def test_in_evaluation_the_cell_is_what_it_was():
    cell = LSTM(SIZE, SIZE)
    assert RecurrentDropout(cell, 0.3).eval().bind().definition is cell.definition


@pytest.mark.parametrize(
    ("text", "symbol", "message"),
    [
        ("k = tanh(W @ x + U @ h)\nh' = k + h", None, r"no value is called g or n\. Possible are k"),
        (
            "kk = tanh(W @ x + U @ h)\nh' = kk + h",
            "k",
            r"'k' is no value of these equations\. Possible are kk\. Did you",
        ),
        ("h' = tanh(W @ x + U @ h)", None, r"They name no value besides their states"),
        ("n = 2 * w\nh' = tanh(W @ x + U @ h) * n", None, r"They name no value besides their states"),
    ],
)
def test_a_value_that_is_not_there_is_refused(text, symbol, message):
    with pytest.raises(ConfigError, match=message):
        RecurrentDropout(ostinato.cell(text, 3, 4), 0.1, symbol=symbol)


@pytest.mark.parametrize("share", [1, -0.1, "a", None])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match=r"RecurrentDropout share: .* was given"):
        RecurrentDropout(LSTM(3, 4), share)
