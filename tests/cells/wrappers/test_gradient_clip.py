"""Gradients clipped inside the recurrence, beside loops whose tensors have hooks."""

import pytest
import torch
from torch.nn import functional as F
from wrapped import DOUBLE, ROWS, SIZE, STEPS, Joined, numbers

import ostinato
from ostinato import GRU, LSTM, ConfigError, GradientClip, unroll

X = numbers(STEPS, ROWS, SIZE)


def clipped(tensor, bound):
    if tensor.requires_grad:
        tensor.register_hook(lambda g: g.clamp(-bound, bound))
    return tensor


def gradients(outputs, cell):
    weighted = (outputs * numbers(*outputs.shape, seed=9)).sum()
    return torch.autograd.grad(weighted, list(cell.parameters()))


def lstm_step(cell, x, h, c, at_functions=lambda t: t):
    pre = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
    i, f, g, o = at_functions(pre).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@pytest.mark.parametrize("bound", [1e-3, 0.05, 1e9])
def test_the_gradient_of_each_state_stays_within_the_bound_at_every_step(bound):
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    outputs = []
    for x in X:
        h, c = lstm_step(cell, x, clipped(h * 1, bound), clipped(c * 1, bound))
        outputs.append(h)
    found = gradients(unroll(GradientClip(cell, bound), X)[0], cell)
    torch.testing.assert_close(found, gradients(torch.stack(outputs), cell))


def test_what_goes_into_the_arguments_of_functions_may_be_clipped_instead():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    h = c = torch.zeros(ROWS, SIZE, dtype=DOUBLE)
    outputs = []
    for x in X:
        h, c = lstm_step(cell, x, h, c, lambda pre: clipped(pre * 1, 0.01))
        outputs.append(h)
    found = gradients(unroll(GradientClip(cell, 0.01, at="pre-activation"), X)[0], cell)
    torch.testing.assert_close(found, gradients(torch.stack(outputs), cell))


@pytest.mark.parametrize("cell", [LSTM, Joined])
def test_forward_nothing_changes(cell):
    made = cell(SIZE, SIZE, dtype=DOUBLE)
    torch.testing.assert_close(unroll(GradientClip(made, 0.01), X)[0], unroll(made, X)[0], rtol=1e-12, atol=1e-14)


def test_a_wide_bound_changes_no_gradient():
    cell = GRU(SIZE, SIZE, dtype=DOUBLE)
    found, expected = (gradients(unroll(c, X)[0], cell) for c in (GradientClip(cell, 1e6), cell))
    torch.testing.assert_close(found, expected)


def test_an_exploding_gradient_is_held():
    cell = ostinato.cell("h' = 3 * h + W @ x", 1, 1, dtype=DOUBLE)
    x = torch.ones(40, 1, 1, dtype=DOUBLE)
    free, held = (
        torch.autograd.grad(unroll(c, x)[0][-1].sum(), cell.weight_ih)[0].item()
        for c in (cell, GradientClip(cell, 1.0))
    )
    assert free > 1e18
    assert held == 1 + 39 * 1  # the last step's own, and 1 from each before it


def test_a_plain_cell_has_its_state_clipped():
    cell = Joined()
    h, outputs = torch.zeros(ROWS, SIZE, dtype=DOUBLE), []
    for x in X:
        h = cell.step(x, clipped(h * 1, 0.01))[1]
        outputs.append(h)
    found = gradients(unroll(GradientClip(cell, 0.01), X)[0], cell)
    torch.testing.assert_close(found, gradients(torch.stack(outputs), cell))


def test_equations_say_it_themselves():
    text = "h' = tanh(W @ x + U @ {} + b)"
    written = ostinato.cell(text.format("clip_gradient(h, 0.01)"), SIZE, SIZE, dtype=DOUBLE)
    bare = ostinato.cell(text.format("h"), SIZE, SIZE, dtype=DOUBLE)
    with torch.no_grad():
        for symbol in "WUb":
            getattr(bare, symbol).copy_(getattr(written, symbol))
    found, expected = gradients(unroll(written, X)[0], written), gradients(unroll(GradientClip(bare, 0.01), X)[0], bare)
    by_size = {"key": lambda g: (g.dim(), g.shape[-1], g.sum().item())}
    torch.testing.assert_close(sorted(found, **by_size), sorted(expected, **by_size))


@pytest.mark.parametrize("bound", [0, -1, "1", True, float("nan")])
def test_a_bound_is_above_zero(bound):
    with pytest.raises(ConfigError, match=r"GradientClip bound: .* was given\. A number above 0"):
        GradientClip(GRU(3, 4), bound)


def test_a_place_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"GradientClip at: 'output' was given\. Known are state and pre-activation"):
        GradientClip(GRU(3, 4), 1, at="output")
    with pytest.raises(ConfigError, match=r"no function of this cell takes a product\. Possible is state"):
        GradientClip(ostinato.cell("h' = u * h + W @ x", 3, 4), 1, at="pre-activation")
