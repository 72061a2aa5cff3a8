"""LSTMs of other years beside their papers: formulas in plain NumPy, and the numbers of weights they print."""

import numpy as np
import pytest
import torch

from ostinato import CATALOGUE, EquationCell, unroll

D, H, B, T = 3, 4, 5, 9
X = torch.randn(T, B, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def made(name: str) -> tuple[EquationCell, dict[str, np.ndarray]]:
    """Return a cell with weights that matter, and its symbols as arrays."""
    cell = CATALOGUE[name].build(D, H, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    return cell, {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}


def logistic(a):
    return 1 / (1 + np.exp(-a))


def check(cell: EquationCell, expected) -> None:
    np.testing.assert_allclose(unroll(cell, X)[0].detach(), expected, rtol=1e-11, atol=1e-13)


def test_the_cell_of_1997_hears_every_unit_of_its_layer():
    """Hochreiter and Schmidhuber (1997), §4: net(t) sums over inputs, cells and gates u, each by its y_u(t - 1)."""
    cell, w = made("lstm-1997")
    reads = {k: np.concatenate([w[f"{m}_{k}"] for m in "WUPQ"], axis=1) for k in "iog"}
    y = {u: np.zeros((B, H)) for u in "cio"}
    s, expected = np.zeros((B, H)), []
    for x in X.numpy():
        seen = np.concatenate([x, y["c"], y["i"], y["o"]], axis=1)
        net = {k: seen @ reads[k].T + w[f"b_{k}"] for k in "iog"}
        y["i"], y["o"] = logistic(net["i"]), logistic(net["o"])
        s = s + y["i"] * (4 / (1 + np.exp(-net["g"])) - 2)
        y["c"] = y["o"] * (2 / (1 + np.exp(-s)) - 1)
        expected.append(y["c"])
    check(cell, expected)


@pytest.mark.parametrize(("distractors", "weights"), [(50, 364), (100, 664), (200, 1264), (500, 3064), (1000, 6064)])
def test_it_has_as_many_weights_as_the_paper_counts_for_task_2c(distractors, weights):
    """Table 3: p + 4 inputs, two blocks of one cell, no biases; two outputs that read the cells."""
    cell = CATALOGUE["lstm-1997"].build(distractors + 4, 2, bias=False)
    assert sum(p.numel() for p in cell.parameters()) + 2 * 2 == weights


def test_it_has_as_many_weights_as_the_paper_counts_for_the_reber_grammar():
    """Table 1: 264 for 4 blocks of one cell; 7 inputs, 7 outputs that read the cells, biases for the gates alone."""
    cell = CATALOGUE["lstm-1997"].build(7, 4)
    assert sum(p.numel() for p in cell.parameters()) - cell.b_g.numel() + 7 * 4 == 264


def test_it_starts_within_a_fifth():
    """§5.1: all weights in [-0.2, 0.2]."""
    torch.manual_seed(0)
    largest = max(p.abs().max().item() for p in CATALOGUE["lstm-1997"].build(50, 50).parameters())
    assert 0.19 < largest <= 0.2


def test_without_a_forget_gate_nothing_is_lost():
    """The constant error carousel: with its input gate shut, the cell keeps its content, and the error its size."""
    cell = CATALOGUE["lstm-1997"].build(D, H, dtype=torch.float64, initialisers={"b_i": -40.0})
    start = cell.initial_state(B)._replace(c=torch.ones(B, H, dtype=torch.float64, requires_grad=True))
    _, last = unroll(cell, torch.zeros(1000, B, D, dtype=torch.float64), start)
    torch.testing.assert_close(last.c, start.c, rtol=0, atol=1e-12)
    (error,) = torch.autograd.grad(last.c.sum(), start.c)
    torch.testing.assert_close(error, torch.ones_like(error), rtol=0, atol=1e-10)


def test_peepholes_see_the_cell_and_the_output_gate_sees_the_new_one():
    """Graves (2013), eq. 7 to 11; the matrices from the cell to the gates are diagonal."""
    cell, w = made("peephole-lstm")
    h, c, expected = np.zeros((B, H)), np.zeros((B, H)), []
    for x in X.numpy():
        i = logistic(x @ w["W_i"].T + h @ w["U_i"].T + c @ np.diag(w["p_i"]) + w["b_i"])
        f = logistic(x @ w["W_f"].T + h @ w["U_f"].T + c @ np.diag(w["p_f"]) + w["b_f"])
        c = f * c + i * np.tanh(x @ w["W_g"].T + h @ w["U_g"].T + w["b_g"])
        o = logistic(x @ w["W_o"].T + h @ w["U_o"].T + c @ np.diag(w["p_o"]) + w["b_o"])
        h = o * np.tanh(c)
        expected.append(h)
    check(cell, expected)


def test_coupled_gates_forget_what_they_write():
    """Greff et al. (2015), the vanilla LSTM of §2 with f = 1 - i."""
    cell, w = made("coupled-lstm")
    y, c, expected = np.zeros((B, H)), np.zeros((B, H)), []
    for x in X.numpy():
        i = logistic(x @ w["W_i"].T + y @ w["R_i"].T + w["p_i"] * c + w["b_i"])
        f = 1 - i
        c = np.tanh(x @ w["W_z"].T + y @ w["R_z"].T + w["b_z"]) * i + c * f
        y = np.tanh(c) * logistic(x @ w["W_o"].T + y @ w["R_o"].T + w["p_o"] * c + w["b_o"])
        expected.append(y)
    check(cell, expected)
