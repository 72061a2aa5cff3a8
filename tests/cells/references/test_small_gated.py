"""Units with few gates beside their papers' formulas in plain NumPy, where torchrecurrent has them otherwise or not."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato import CATALOGUE, EquationCell, unroll

D, H, B, T = 3, 4, 5, 9


def made(name: str, input_size: int = D, **values) -> tuple[EquationCell, dict[str, np.ndarray]]:
    """Return a cell with weights that matter, and its symbols as arrays."""
    cell = CATALOGUE[name].build(input_size, H, dtype=torch.float64, **values)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    return cell, {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}


def inputs(size: int = D) -> torch.Tensor:
    return torch.randn(T, B, size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def check(cell: EquationCell, given: torch.Tensor, expected) -> None:
    np.testing.assert_allclose(unroll(cell, given)[0].detach(), expected, rtol=1e-11, atol=1e-13)


def logistic(a):
    return 1 / (1 + np.exp(-a))


GATES = {
    "mgu": lambda x, h, w: logistic(x @ w["W_f"].T + h @ w["U_f"].T + w["b_f"]),
    "mgu1": lambda x, h, w: logistic(h @ w["U_f"].T + w["b_f"]),
    "mgu2": lambda x, h, w: logistic(h @ w["U_f"].T),
    "mgu3": lambda x, h, w: logistic(w["b_f"]),
}
"""What the one gate reads: Zhou et al. (2016), then Heck and Salem (2017), variants 1 to 3."""


@pytest.mark.parametrize("name", GATES)
def test_minimal_gated_units_differ_in_what_their_gate_reads(name):
    cell, w = made(name)
    h, expected = np.zeros((B, H)), []
    for x in inputs().numpy():
        f = GATES[name](x, h, w)
        h = (1 - f) * h + f * np.tanh(x @ w["W_g"].T + (f * h) @ w["U_g"].T + w["b_g"])
        expected.append(h)
    check(cell, inputs(), expected)


@pytest.mark.parametrize(("name", "saved"), [("mgu1", "W_f"), ("mgu2", "W_f b_f"), ("mgu3", "W_f U_f")])
def test_each_variant_has_the_minimal_gated_unit_s_parameters_less_some(name, saved):
    whole, _ = made("mgu")
    less, _ = made(name)
    expected = {p.name for p in whole.program.parameters} - set(saved.split())
    assert {p.name for p in less.program.parameters} == expected


def mut1(x, h, w):
    z = logistic(x @ w["W_z"].T + w["b_z"])
    r = logistic(x @ w["W_r"].T + h @ w["U_r"].T + w["b_r"])
    return np.tanh((r * h) @ w["U_n"].T + np.tanh(x) + w["b_n"]) * z + h * (1 - z)


def mut2(x, h, w):
    z = logistic(x @ w["W_z"].T + h @ w["U_z"].T + w["b_z"])
    r = logistic(x + h @ w["U_r"].T + w["b_r"])
    return np.tanh((r * h) @ w["U_n"].T + x @ w["W_n"].T + w["b_n"]) * z + h * (1 - z)


@pytest.mark.parametrize(("step", "bare"), [(mut1, "W_n"), (mut2, "W_r")])
def test_with_the_identity_in_that_place_a_mutated_unit_adds_x_itself(step, bare):
    """Jozefowicz et al. (2015), MUT1 and MUT2 as printed, which needs as many inputs as units."""
    cell, w = made(step.__name__, input_size=H)
    with torch.no_grad():
        getattr(cell, bare).copy_(torch.eye(H))
    h, expected = np.zeros((B, H)), []
    for x in inputs(H).numpy():
        h = step(x, h, w)
        expected.append(h)
    check(cell, inputs(H), expected)


@pytest.mark.parametrize("alpha", [0.95, 0.5])
def test_the_slow_context_is_heard_and_does_not_hear(alpha):
    """Mikolov et al. (2014): context, hidden layer and output, before the softmax."""
    cell, w = made("scrn", context_size=2, output_size=6, alpha=alpha)
    s, h, expected = np.zeros((B, 2)), np.zeros((B, H)), []
    for x in inputs().numpy():
        s = (1 - alpha) * (x @ w["B"].T) + alpha * s
        h = logistic(s @ w["P"].T + x @ w["A"].T + h @ w["R"].T)
        expected.append(h @ w["U"].T + s @ w["V"].T)
    check(cell, inputs(), expected)


def test_a_light_gru_is_the_paper_s_with_its_batch_norms_taken_into_the_weights():
    """Ravanelli et al. (2018): z and the candidate read BN(W x) + U h, and once learned BN is a factor and a shift."""
    cell, w = made("li-gru")
    torch.manual_seed(3)
    norms = {k: nn.BatchNorm1d(H, dtype=torch.float64).eval() for k in "zc"}
    for norm in norms.values():
        for tensor in (norm.running_mean, norm.weight.data, norm.bias.data):
            tensor.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    plain = {k: w[f"W_{k}"].copy() for k in "zc"}
    with torch.no_grad():
        for k, norm in norms.items():
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            getattr(cell, f"W_{k}").mul_(factor[:, None])
            getattr(cell, f"b_{k}").copy_(norm.bias - norm.running_mean * factor)
    h, expected = np.zeros((B, H)), []
    for x in inputs().numpy():
        read = {k: norms[k](torch.from_numpy(x @ plain[k].T)).detach().numpy() + h @ w[f"U_{k}"].T for k in "zc"}
        z = logistic(read["z"])
        h = z * h + (1 - z) * np.maximum(read["c"], 0)
        expected.append(h)
    check(cell, inputs(), expected)


def test_without_input_a_chaos_free_network_falls_to_zero():
    """Laurent and von Brecht (2016): zero is its only attractor."""
    cell, _ = made("cfn")
    start = 3 * torch.randn(B, H, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    outputs, _ = unroll(cell, torch.zeros(2000, B, D, dtype=torch.float64), start)
    sizes = outputs.abs().amax((1, 2))
    assert (sizes.diff() <= 0).all()
    assert sizes[-1] < 0.05


@pytest.mark.parametrize(("name", "gates"), [("ugrnn", ["b_g"]), ("intersection-rnn", ["b_s", "b_g"])])
def test_gates_that_carry_start_with_a_bias_of_one(name, gates):
    """Collins et al. (2016), as in the authors' own cells."""
    cell = CATALOGUE[name].build(D, H)
    assert all((getattr(cell, gate) == 1.0).all() for gate in gates)


def test_the_intersection_network_s_output_is_as_long_as_its_input():
    assert CATALOGUE["intersection-rnn"].build(D, H).output_size == D
