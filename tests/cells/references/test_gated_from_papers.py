"""Gated cells beside their papers' equations, written out in NumPy for one sequence at a time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato import CATALOGUE, ConfigError, unroll
from ostinato.cells.gated.hyper_lstm import HyperLSTM
from ostinato.cells.gated.miru import MiRU1, MiRU2
from ostinato.cells.gated.recurrent_highway import RecurrentHighway, UncoupledRecurrentHighway
from ostinato.cells.gated.slstm import SLSTM
from ostinato.cells.gated.tau_gru import TauGRU

D, H, B, T = 3, 5, 4, 7
tanh, exp = np.tanh, np.exp


def sigma(a):
    return 1 / (1 + exp(-a))


def hard_sigmoid(a):
    return np.clip(a / 6 + 0.5, 0, 1)


def relu(a):
    return np.maximum(a, 0)


def norm(a):
    return (a - a.mean()) / np.sqrt(a.var() + 1e-5)


# one step of each: weights, constants and counts w; x; the states before; gives the output and the states after


def light_ru(w, x, h):
    """Ye et al. (2024), §3.2; the list of parameters there has a bias for the gate alone."""
    candidate = tanh(w["W_g"] @ x)
    f = sigma(w["W_f"] @ x + w["U_f"] @ h + w["b_f"])
    h = h + f * (candidate - h)
    return h, (h,)


def miru1(w, x, h):
    """Zyarah and Kudithipudi (2025): the GRU of Cho et al. with lambda for its update gate."""
    r = sigma(w["W_r"] @ x + w["U_r"] @ h + w["b_r"])
    candidate = tanh(w["W_n"] @ x + w["U_n"] @ (r * h) + w["b_n"])
    h = w["update"] * h + (1 - w["update"]) * candidate
    return h, (h,)


def miru2(w, x, h):
    """Zyarah and Kudithipudi (2025): lambda and beta, the update and the reset coefficient."""
    candidate = tanh(w["W_n"] @ x + w["U_n"] @ (w["reset"] * h) + w["b_n"])
    h = w["update"] * h + (1 - w["update"]) * candidate
    return h, (h,)


def memory_controller_lstm(w, x, c, v):
    """As RecurrentLayers.jl prints it: v stands where an LSTM has h, and h is shown alone."""
    f, i, o, m, n = (w[f"W_{k}"] @ x + w[f"U_{k}"] @ v + w[f"b_{k}"] for k in "fiomn")
    c = sigma(f) * c + sigma(i) * tanh(n)
    return sigma(o) * tanh(c), (c, sigma(m) * tanh(c))


def sgu(w, x, h):
    """Gao and Glowacka (2016)."""
    x_g = w["W_a"] @ x + w["b_a"]
    z_g = tanh(w["U_a"] @ (x_g * h))
    z_out = np.log(1 + exp(z_g * h))
    z_t = hard_sigmoid(w["W_z"] @ x + w["b_z"] + w["U_z"] @ h)
    h = (1 - z_t) * h + z_t * z_out
    return h, (h,)


def dsgu(w, x, h):
    """Gao and Glowacka (2016)."""
    x_g = w["W_a"] @ x + w["b_a"]
    z_g = tanh(w["U_a"] @ (x_g * h))
    z_out = sigma(w["U_o"] @ (z_g * h))
    z_t = hard_sigmoid(w["W_z"] @ x + w["b_z"] + w["U_z"] @ h)
    h = (1 - z_t) * h + z_t * z_out
    return h, (h,)


def sgrn(w, x, h):
    """Zu and Wei (2020): f, then i = 1 - f, then the state."""
    f = sigma(w["W"] @ x + w["U"] @ h + w["b"])
    i = 1 - f
    h = tanh(i * (w["W"] @ x) + f * h)
    return h, (h,)


def star(w, x, h):
    """Turkoglu et al. (2019)."""
    z = tanh(w["W_z"] @ x + w["b_z"])
    k = sigma(w["W_k"] @ x + w["U_k"] @ h + w["b_k"])
    h = tanh((1 - k) * h + k * z)
    return h, (h,)


def trnn(w, x, h):
    """Balduzzi and Ghifary (2016), T-RNN; its z has no bias."""
    z = w["W_z"] @ x
    f = sigma(w["W_f"] @ x + w["b_f"])
    h = f * h + (1 - f) * z
    return h, (h,)


def typed_gates(w, x, before):
    z, f, o = (w[f"V_{k}"] @ before + w[f"W_{k}"] @ x + w[f"b_{k}"] for k in "zfo")
    return z, sigma(f), tanh(o)


def tgru(w, x, h, before):
    """Balduzzi and Ghifary (2016), T-GRU."""
    z, f, o = typed_gates(w, x, before)
    h = f * h + z * o
    return h, (h, x)


def tlstm(w, x, c, before):
    """Balduzzi and Ghifary (2016), T-LSTM."""
    z, f, o = typed_gates(w, x, before)
    c = f * c + (1 - f) * z
    return c * o, (c, x)


def residual_lstm(w, x, h, c):
    """Kim et al. (2017): the output gate closes over projection and shortcut together."""
    i = sigma(w["W_i"] @ x + w["U_i"] @ h + w["p_i"] * c + w["b_i"])
    f = sigma(w["W_f"] @ x + w["U_f"] @ h + w["p_f"] * c + w["b_f"])
    c = f * c + i * tanh(w["W_g"] @ x + w["U_g"] @ h + w["b_g"])
    o = sigma(w["W_o"] @ x + w["U_o"] @ h + w["P_o"] @ c + w["b_o"])
    m = w["W_p"] @ tanh(c)
    h = o * (m + w["W_h"] @ x)
    return h, (h, c)


def multiplicative_rnn(w, x, h):
    """Sutskever et al. (2011): W_hf diag(W_fx x) W_fh is the matrix that h meets."""
    matrix = w["U_h"] @ np.diag(w["W_f"] @ x) @ w["U_f"]
    h = tanh(w["W_h"] @ x + matrix @ h)
    return h, (h,)


def multiplicative_lstm(w, x, h, c):
    """Krause et al. (2016): each gate of an LSTM hears W diag(W_mx x) W_mh h."""
    heard = np.diag(w["W_m"] @ x) @ w["U_m"] @ h
    i, f, g, o = (w[f"W_{k}"] @ x + w[f"U_{k}"] @ heard + w[f"b_{k}"] for k in "ifgo")
    c = sigma(f) * c + sigma(i) * tanh(g)
    h = tanh(c) * sigma(o)
    return h, (h, c)


def nas(w, x, h, c):
    """Zoph and Le (2017), the left cell of the appendix; the fourth leaf multiplies, as in the authors' code."""
    seen, heard = [w[f"W_{k}"] @ x for k in range(8)], [w[f"U_{k}"] @ h + w[f"b_{k}"] for k in range(8)]
    kinds = [sigma, relu, sigma, relu, tanh, sigma, tanh, sigma]
    leaf = [f(s * m if k == 3 else s + m) for k, (f, s, m) in enumerate(zip(kinds, seen, heard, strict=True))]
    left, right = tanh(leaf[0] * leaf[1]), tanh(leaf[2] + leaf[3])
    c = tanh(left + c) * right
    h = tanh(c * tanh(tanh(leaf[4] * leaf[5]) + sigma(leaf[6] + leaf[7])))
    return h, (h, c)


def tau_gru(w, x, h, *past):
    """Erichson et al. (2022): h_n and h_(n - d), with d the number of older states."""
    u = tanh(w["W_u"] @ x + w["U_u"] @ h + w["b_u"])
    z = tanh(w["W_z"] @ x + w["U_z"] @ past[-1] + w["b_z"])
    g = sigma(w["W_g"] @ x + w["U_g"] @ h + w["b_g"])
    a = sigma(w["W_a"] @ x + w["U_a"] @ h + w["b_a"])
    after = (1 - g) * h + g * (u + a * z)
    return after, (after, h, *past[:-1])


def brc(w, x, h):
    """Vecoven et al. (2021), with the biases of the authors' code."""
    a = 1 + tanh(w["W_a"] @ x + np.diag(w["u_a"]) @ h + w["b_a"])
    c = sigma(w["W_c"] @ x + np.diag(w["u_c"]) @ h + w["b_c"])
    h = c * h + (1 - c) * tanh(w["W_h"] @ x + a * h)
    return h, (h,)


def nbrc(w, x, h):
    """Vecoven et al. (2021), where neuromodulation makes the two vectors of the BRC matrices."""
    a = 1 + tanh(w["W_a"] @ x + w["U_a"] @ h + w["b_a"])
    c = sigma(w["W_c"] @ x + w["U_c"] @ h + w["b_c"])
    h = c * h + (1 - c) * tanh(w["W_h"] @ x + a * h)
    return h, (h,)


def wmc_lstm(w, x, h, c):
    """Landi et al. (2021): tanh protects what the gates read of the cell."""
    pre = {k: w[f"W_{k}"] @ x + w[f"U_{k}"] @ h + w[f"b_{k}"] for k in "ifgo"}
    i, f = (sigma(pre[k] + tanh(w[f"V_{k}"] @ c)) for k in "if")
    c = f * c + i * tanh(pre["g"])
    h = sigma(pre["o"] + tanh(w["V_o"] @ c)) * tanh(c)
    return h, (h, c)


def slstm(w, x, h, m, c, n):
    """Beck et al. (2024), eq. 8 to 14 without the stabiliser, by which its c and n are divided."""
    i, f, z, o = (w[f"W_{k}"] @ x + w[f"U_{k}"] @ h + w[f"b_{k}"] for k in "ifzo")
    kept, added = sigma(f) * exp(m), exp(i)
    c, n = kept * c + added * tanh(z), kept * n + added
    h = sigma(o) * c / n
    return h, (h, np.zeros_like(m), c, n)


def hyper_lstm(w, x, h, c_hat, h_hat, c):
    """Ha et al. (2017), eq. 10 to 13."""
    x_hat = np.concatenate([h, x])
    joined = {k: np.concatenate([w[f"V_{k}_hat"], w[f"W_{k}_hat"]], 1) for k in "ifgo"}
    i, f, g, o = (
        w[f"r_{k}"] * norm(w[f"U_{k}_hat"] @ h_hat + joined[k] @ x_hat + w[f"b_{k}_hat"]) + w[f"q_{k}"] for k in "ifgo"
    )
    c_hat = sigma(f) * c_hat + sigma(i) * tanh(g)
    h_hat = sigma(o) * tanh(w["r_c"] * norm(c_hat) + w["q_c"])
    y = {}
    for k in "ifgo":
        d_h = w[f"D_h{k}"] @ (w[f"A_h{k}"] @ h_hat + w[f"a_h{k}"])
        d_x = w[f"D_x{k}"] @ (w[f"A_x{k}"] @ h_hat + w[f"a_x{k}"])
        b = w[f"D_b{k}"] @ w[f"A_b{k}"] @ h_hat + w[f"b_{k}"]
        rows = np.diag(d_h) @ w[f"U_{k}"] @ h + np.diag(d_x) @ w[f"W_{k}"] @ x + b
        y[k] = w[f"g_{k}"] * norm(rows) + w[f"s_{k}"]
    c = sigma(y["f"]) * c + sigma(y["i"]) * tanh(y["g"])
    h = sigma(y["o"]) * tanh(w["g_c"] * norm(c) + w["s_c"])
    return h, (h, c_hat, h_hat, c)


def recurrent_highway(w, x, s):
    """Zilly et al. (2017), eq. 6 to 9, with c = 1 - t where the weights have no gate of their own for it."""
    for k in range(1, int(w["depth"]) + 1):
        pre = {
            gate: w[f"U_{gate}{k}"] @ s + w[f"b_{gate}{k}"] + (w[f"W_{gate}"] @ x if k == 1 else 0)
            for gate in "htc"
            if f"U_{gate}{k}" in w
        }
        t = sigma(pre["t"])
        s = tanh(pre["h"]) * t + s * (sigma(pre["c"]) if "c" in pre else 1 - t)
    return s, (s,)


STEPS = {
    "light-ru": light_ru, "miru1": miru1, "miru2": miru2, "sgu": sgu, "dsgu": dsgu, "sgrn": sgrn, "star": star,
    "trnn": trnn, "tgru": tgru, "tlstm": tlstm, "residual-lstm": residual_lstm,
    "multiplicative-rnn": multiplicative_rnn, "multiplicative-lstm": multiplicative_lstm, "nas": nas,
    "tau-gru": tau_gru, "brc": brc, "nbrc": nbrc, "memory-controller-lstm": memory_controller_lstm,
    "wmc-lstm": wmc_lstm, "slstm": slstm, "hyper-lstm": hyper_lstm,
    "recurrent-highway": recurrent_highway, "recurrent-highway-uncoupled": recurrent_highway,
}  # fmt: skip


def drawn(cell):
    """Return the cell with weights that are large enough to matter, and its symbols and settings as arrays."""
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    symbols = {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}
    return cell, symbols | cell.constants | cell.counts


def inputs() -> Tensor:
    return torch.randn(T, B, D, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def assert_is(cell, step) -> None:
    cell, w = drawn(cell)
    outputs = unroll(cell, inputs())[0].detach().numpy()
    for row in range(B):
        states = [np.zeros(n) for n in cell.definition.states.values()]
        for t, x in enumerate(inputs()[:, row].numpy()):
            output, states = step(w, x, *states)
            np.testing.assert_allclose(outputs[t, row], output, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", STEPS)
def test_a_cell_is_its_paper_s(name):
    assert_is(CATALOGUE[name].build(D, H, dtype=torch.float64), STEPS[name])


@pytest.mark.parametrize("depth", [1, 2, 6])
@pytest.mark.parametrize("kind", [RecurrentHighway, UncoupledRecurrentHighway])
def test_a_recurrent_highway_may_have_any_depth(kind, depth):
    assert_is(kind(D, H, depth=depth, dtype=torch.float64), recurrent_highway)


@pytest.mark.parametrize("delay", [1, 3])
def test_the_feedback_of_a_tau_gru_may_come_from_any_step(delay):
    assert_is(TauGRU(D, H, delay=delay, dtype=torch.float64), tau_gru)


# what the papers say besides


@pytest.mark.parametrize(("kind", "setting"), [(MiRU1, "update"), (MiRU2, "update"), (MiRU2, "reset")])
@pytest.mark.parametrize("number", [-0.1, 1.1])
def test_a_coefficient_of_a_minion_unit_is_a_share(kind, setting, number):
    with pytest.raises(ConfigError, match=rf"{setting} = {number} was given\. It is at (least 0|most 1)"):
        kind(D, H, **{setting: number})


def test_a_transform_gate_starts_almost_closed():
    cell = RecurrentHighway(D, H, depth=4)
    assert all((getattr(cell, f"b_t{k}") == -2).all() for k in range(1, 5))
    assert not any((getattr(cell, f"b_h{k}") == -2).any() for k in range(1, 5))


def test_a_hyper_lstm_starts_with_rows_scaled_by_a_tenth():
    """Ha et al. (2017), A.2.3."""
    cell = HyperLSTM(D, H, hyper_size=4, embedding_size=3)
    for k in "ifgo":
        torch.testing.assert_close(getattr(cell, f"D_h{k}") @ getattr(cell, f"a_h{k}"), torch.full((H,), 0.1))
        assert not any(getattr(cell, name).any() for name in (f"A_h{k}", f"A_x{k}", f"D_b{k}", f"b_{k}"))
        torch.testing.assert_close(getattr(cell, f"U_{k}") @ getattr(cell, f"U_{k}").T, torch.eye(H))


def with_gates(cell: SLSTM, i: float, f: float) -> SLSTM:
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.b_i.fill_(i)
        cell.b_f.fill_(f)
        cell.b_z.fill_(1.0)
    return cell


@pytest.mark.parametrize(("i", "f"), [(-1000.0, 0.0), (-300.0, 40.0), (300.0, -300.0), (90.0, 90.0)])
def test_no_gate_of_an_slstm_is_too_large_or_too_small(i, f):
    """With gates that never change, c / n is tanh(z) at every step, however large or small they are."""
    cell = with_gates(SLSTM(D, H), i, f)
    x = inputs().float().requires_grad_()
    outputs, last = unroll(cell, x)
    torch.testing.assert_close(outputs, torch.full_like(outputs, 0.5 * float(np.tanh(1.0))))
    outputs.sum().backward()
    assert all(p.grad.isfinite().all() for p in cell.parameters())
    assert all(leaf.isfinite().all() for leaf in last)


def test_a_brc_keeps_one_of_two_values_where_its_feedback_is_above_one():
    cell = CATALOGUE["brc"].build(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.b_a.fill_(0.8)  # a = 1 + tanh(0.8) = 1.66
    silence = torch.zeros(300, 2, 1, dtype=torch.float64)
    _, last = unroll(cell, silence, torch.tensor([[0.1], [-0.1]], dtype=torch.float64))
    kept = last[0].item()
    assert kept > 0.5
    assert kept == pytest.approx(np.tanh((1 + np.tanh(0.8)) * kept), rel=1e-9)
    torch.testing.assert_close(last[1], -last[0])
