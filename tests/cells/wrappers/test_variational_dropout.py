"""Variational dropout beside loops written out with the same masks."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, RESET_BEFORE, ROWS, SIZE, STEPS, Joined, numbers, seeded

import ostinato
from ostinato import GRU, LSTM, ConfigError, VariationalDropout, unroll

X = numbers(STEPS, ROWS, SIZE)
SHARES = {"input": 0.2, "state": 0.4, "output": 0.3}


def masks(*shares, steps=1):
    """Return what is drawn, in order, scaled."""
    source = seeded()
    return [(torch.rand(steps, ROWS, SIZE, generator=source) < 1 - s).double() / (1 - s) for s in shares]


def test_an_lstm_reads_masked_inputs_and_states_at_every_step():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    outputs, (last, memory) = unroll(VariationalDropout(cell, **SHARES, generator=seeded()), X)
    m_x, m_h, m_y = (m[0] for m in masks(0.2, 0.4, 0.3))
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for k, x in enumerate(X):
        gates = F.linear(x * m_x, cell.weight_ih, cell.bias_ih) + F.linear(h * m_h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        torch.testing.assert_close(outputs[k], h * m_y)
    torch.testing.assert_close((last, memory), (h, c))


def test_what_a_gru_keeps_from_step_to_step_is_not_masked():
    cell = GRU(SIZE, SIZE, dtype=DOUBLE)
    outputs, _ = unroll(VariationalDropout(cell, state=0.4, generator=seeded()), X)
    (mask,) = masks(0.4)
    h = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for k, x in enumerate(X):
        own, old = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h * mask[0], cell.weight_hh, cell.bias_hh)
        (a, b, c), (d, e, f) = own.chunk(3, -1), old.chunk(3, -1)
        z = (b + e).sigmoid()
        h = (1 - z) * (c + (a + d).sigmoid() * f).tanh() + z * h
        torch.testing.assert_close(outputs[k], h)


def test_a_state_that_is_gated_before_a_product_has_the_same_mask_there():
    cell = ostinato.cell(RESET_BEFORE, SIZE, SIZE, dtype=DOUBLE)
    _, last = unroll(VariationalDropout(cell, state=0.4, generator=seeded()), X)
    (mask,) = masks(0.4)
    h = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    for x in X:
        f = (F.linear(x, cell.W_f, cell.b_f) + F.linear(h * mask[0], cell.U_f)).sigmoid()
        g = (F.linear(x, cell.W_g, cell.b_g) + F.linear(f * (h * mask[0]), cell.U_g)).tanh()
        h = (1 - f) * h + f * g
    torch.testing.assert_close(last, h)


def test_masks_may_be_drawn_at_every_step():
    made = VariationalDropout(GRU(SIZE, SIZE, dtype=DOUBLE), output=0.5, per="step", generator=seeded())
    plain, _ = unroll(made.inner, X)
    torch.testing.assert_close(unroll(made, X)[0], plain * masks(0.5, steps=STEPS)[0])


def test_each_row_has_masks_of_its_own():
    made = VariationalDropout(GRU(SIZE, SIZE, dtype=DOUBLE), output=0.5, generator=seeded())
    dropped = unroll(made, X)[0] == 0
    assert (dropped == dropped[:1]).all()
    assert not (dropped[:, :1] == dropped).all()


def test_in_evaluation_the_cell_is_what_it_was():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    made = VariationalDropout(cell, **SHARES).eval()
    assert made.bind().definition is cell.definition
    assert str(ostinato.plan(made)) == str(ostinato.plan(cell))


def test_a_plain_cell_has_its_input_and_output_masked():
    cell = Joined()
    outputs, _ = unroll(VariationalDropout(cell, input=0.2, output=0.3, generator=seeded()), X)
    m_x, m_y = masks(0.2, 0.3)
    torch.testing.assert_close(outputs, unroll(cell, X * m_x)[0] * m_y)


def test_masks_of_a_wrapper_inside_stay_whole():
    cell = Joined()
    inner = ostinato.Zoneout(cell, 0.5, generator=seeded(4))
    _, last = unroll(VariationalDropout(inner, input=0.2, generator=seeded()), X)
    (mask,) = masks(0.2)
    again = ostinato.Zoneout(cell, 0.5, generator=seeded(4))
    torch.testing.assert_close(last, unroll(again, X * mask)[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input": 1.0}, r"VariationalDropout input: 1\.0 was given\. A share"),
        ({"state": -1}, r"VariationalDropout state: -1 was given"),
        ({"output": None}, r"VariationalDropout output: None was given"),
        ({"input": 0.1, "per": "row"}, r"per: 'row' was given\. A mask is drawn once a step or once a sequence"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        VariationalDropout(GRU(3, 3), **settings)


def test_a_cell_whose_products_read_no_state_has_none_to_mask():
    diagonal = ostinato.cell("h' = u * h + W @ x", 3, 4)
    with pytest.raises(ConfigError, match=r"no product of this cell reads a state\. Possible are input and output"):
        VariationalDropout(diagonal, state=0.1)
    assert VariationalDropout(diagonal, input=0.1).draws


def test_where_a_plain_cell_reads_its_state_is_not_known():
    with pytest.raises(ConfigError, match=r"Joined is a plain cell.*possible are input and output"):
        VariationalDropout(Joined(), state=0.1)
