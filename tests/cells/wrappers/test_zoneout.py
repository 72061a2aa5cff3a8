"""Zoneout beside the paper's equations, written out step by step with the same masks."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, ROWS, SIZE, STEPS, Joined, numbers, seeded

import ostinato
from ostinato import GRU, LSTM, ConfigError, Zoneout, unroll

X = numbers(STEPS, ROWS, SIZE)


def lstm():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LSTM(SIZE, SIZE, dtype=DOUBLE)


def zoned_lstm(cell, masks_h, masks_c):
    """Krueger et al. (2017): the cell's value is left as it was where its mask is 1, and so is h, by its own mask."""
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    outputs = []
    for x, d_h, d_c in zip(X, masks_h, masks_c, strict=True):
        gates = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, -1)
        made = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = d_h * h + (1 - d_h) * (o.sigmoid() * made.tanh())
        c = d_c * c + (1 - d_c) * made
        outputs.append(h)
    return torch.stack(outputs), h, c


def test_an_lstm_is_the_paper_s():
    cell = lstm()
    outputs, state = unroll(Zoneout(cell, {"h": 0.3, "c": 0.6}, generator=seeded()), X)
    source = seeded()
    masks = [(torch.rand(STEPS, ROWS, SIZE, generator=source) < rate).double() for rate in (0.3, 0.6)]
    torch.testing.assert_close((outputs, *state), zoned_lstm(cell, *masks))


def test_in_evaluation_each_unit_keeps_its_share():
    cell = lstm()
    outputs, state = unroll(Zoneout(cell, {"h": 0.3, "c": 0.6}).eval(), X)
    shares = [torch.full((STEPS, 1, 1), rate, dtype=DOUBLE) for rate in (0.3, 0.6)]
    torch.testing.assert_close((outputs, *state), zoned_lstm(cell, *shares))


def test_the_expectation_of_one_step_is_evaluation():
    cell, x = GRU(3, 4, dtype=DOUBLE), numbers(1, 1, 3).expand(1, 20_000, 3)
    state = numbers(1, 4).expand(20_000, 4)
    made = Zoneout(cell, 0.3, generator=seeded())
    drawn = unroll(made, x, state)[0].mean(1)
    torch.testing.assert_close(drawn, unroll(made.eval(), x[:, :1], state[:1])[0][:, 0], rtol=0, atol=0.02)


def test_a_state_without_a_rate_is_what_the_cell_makes_of_it():
    made = Zoneout(lstm(), {"c": 0.5}, generator=seeded())
    assert [i.name for i in made.bind().definition.program.role("mask")] == ["kept_c"]


def test_without_any_rate_the_cell_is_what_it_was():
    cell = lstm()
    made = Zoneout(cell, 0.0)
    assert made.bind().definition is cell.definition
    assert not made.draws
    assert str(ostinato.plan(made)) == str(ostinato.plan(cell))


def test_the_rate_is_no_part_of_what_is_compiled():
    first, second = (Zoneout(lstm(), rate).eval().bind().definition for rate in (0.1, 0.2))
    assert first is second


def test_an_output_of_the_new_state_reads_what_is_left_of_it():
    cell = ostinato.cell("h' = tanh(W @ x + U @ h)\ny = V @ h' + b", SIZE, SIZE, dtype=DOUBLE)
    outputs, _, states = unroll(Zoneout(cell, 0.5, generator=seeded()), X, return_states=True)
    torch.testing.assert_close(outputs, F.linear(states, cell.V, cell.b))


def test_a_state_that_only_remembers_another_is_zoned_out_too():
    cell = ostinato.cell("h' = tanh(W @ x + U @ c)\nc' = h", SIZE, SIZE, dtype=DOUBLE)
    _, _, states = unroll(Zoneout(cell, {"c": 0.5}, generator=seeded()), X, return_states=True)
    before = torch.cat([torch.zeros_like(states.h[:1]), states.h[:-1]]), torch.cat([0 * states.c[:1], states.c[:-1]])
    kept = (torch.rand(STEPS, ROWS, SIZE, generator=seeded()) < 0.5).double()
    torch.testing.assert_close(states.c, kept * before[1] + (1 - kept) * before[0])


def test_a_plain_cell_keeps_units_of_its_state():
    cell = Joined()
    made, state = Zoneout(cell, 0.5, generator=seeded()), numbers(ROWS, SIZE, seed=2)
    _, after = unroll(made, X[:1], state)
    kept = (torch.rand(1, ROWS, SIZE, generator=seeded()) < 0.5)[0]
    torch.testing.assert_close(after, torch.where(kept, state, cell.step(X[0], state)[1]))


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (1.0, r"Zoneout rate: 1\.0 was given\. A share from 0 up to, not including, 1"),
        (-0.1, "A share from 0"),
        ("0.1", "A share from 0"),
        (True, "A share from 0"),
        (float("nan"), "A share from 0"),
        ({"h": 1.5}, "A share from 0"),
        ({"hh": 0.5}, r"'hh' is no state of this cell\. Its states are h, c\. Did you mean 'h'\?"),
    ],
)
def test_a_rate_that_means_nothing_is_refused(rate, message):
    with pytest.raises(ConfigError, match=message):
        Zoneout(lstm(), rate)
