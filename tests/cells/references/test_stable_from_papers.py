"""Networks that keep the size of their state, or follow a differential equation, beside their papers in NumPy."""

import math

import numpy as np
import pytest
import torch
from tests.cells.references.papers import B, D, H, T, assert_is, drawn, inputs, sigma, times

from ostinato import CATALOGUE, ConfigError, Stream, unroll
from ostinato import cell as cell_of
from ostinato.cells.stable.closed_form import CfC
from ostinato.cells.stable.liquid import LTC
from ostinato.cells.stable.orthogonal import OrthogonalRNN

tanh = np.tanh


def antisymmetric(w, x, h):
    """Chang et al. (2019), section 3; M is their W_h - W_h^T - gamma I."""
    m = w["W"] - w["W"].T - w["gamma"] * np.eye(H)
    h = h + w["epsilon"] * tanh(m @ h + w["V"] @ x + w["b"])
    return h, (h,)


def antisymmetric_gated(w, x, h):
    """Chang et al. (2019), section 3, with gating."""
    m = w["W"] - w["W"].T - w["gamma"] * np.eye(H)
    z = sigma(m @ h + w["V_z"] @ x + w["b_z"])
    h = h + w["epsilon"] * z * tanh(m @ h + w["V_h"] @ x + w["b_h"])
    return h, (h,)


def mirror(u):
    """A Householder matrix; of a complex vector too."""
    return np.eye(len(u)) - 2 * np.outer(u, u.conj()) / np.vdot(u, u).real


def rotation(w):
    """Mhammedi et al. (2017), eq. 8: the product of all reflections."""
    return np.linalg.multi_dot([np.eye(H)] + [mirror(w[f"u_{k}"]) for k in range(1, int(w["reflections"]) + 1)])


def orthogonal(w, x, h):
    a = rotation(w) @ h + w["W"] @ x + w["b"]
    h = np.where(a > 0, a, 0.1 * a)
    return h, (h,)


def evolution(w):
    """Arjovsky et al. (2016), section 4: W = D3 R2 F^-1 D2 Pi R1 F D1."""
    fourier = np.fft.fft(np.eye(H), norm="ortho")
    d_1, d_2, d_3 = (np.diag(np.exp(1j * w[f"t_{k}"])) for k in (1, 2, 3))
    r_1, r_2 = (mirror(w[f"p_{k}"] + 1j * w[f"q_{k}"]) for k in (1, 2))
    return d_3 @ r_2 @ fourier.conj().T @ d_2 @ w["P"] @ r_1 @ fourier @ d_1


def unitary(w, x, h, k):
    """Arjovsky et al. (2016), section 4, with modReLU; as everyone's code, it adds a little under the root."""
    z = evolution(w) @ (h + 1j * k) + (w["V_h"] + 1j * w["V_k"]) @ x
    modulus = np.sqrt(np.abs(z) ** 2 + 1e-5)
    z = np.maximum(modulus + w["b"], 0) * z / modulus
    return w["U_h"] @ z.real + w["U_k"] @ z.imag + w["b_o"], (z.real, z.imag)


def cornn(w, x, y, z):
    """Rusch and Mishra (2021), eq. 3, the explicit form: damped by the z before the step."""
    pull = tanh(w["W_h"] @ y + w["W_z"] @ z + w["V"] @ x + w["b"])
    z = z + w["delta_t"] * (pull - w["gamma"] * y - w["epsilon"] * z)
    y = y + w["delta_t"] * z
    return y, (y, z)


def lem(w, x, y, z):
    """Rusch et al. (2022), eq. 3; y reads the new z (torchrecurrent 0.2.5 reads the old one)."""
    step = w["delta_t"] * sigma(w["W_1"] @ y + w["V_1"] @ x + w["b_1"])
    bar = w["delta_t"] * sigma(w["W_2"] @ y + w["V_2"] @ x + w["b_2"])
    z = (1 - step) * z + step * tanh(w["W_z"] @ y + w["V_z"] @ x + w["b_z"])
    y = (1 - bar) * y + bar * tanh(w["W_h"] @ z + w["V_h"] @ x + w["b_h"])
    return y, (y, z)


def unicornn(w, x, y, z):
    """Rusch and Mishra (2021, arXiv:2103.05487), one layer of their symplectic Euler scheme."""
    step = w["delta_t"] * sigma(w["c"])
    z = z - step * (tanh(w["w"] * y + w["V"] @ x + w["b"]) + w["alpha"] * y)
    y = y + step * z
    return y, (y, z)


def lipschitz(w, x, h):
    """Erichson et al. (2021), section 3; their code multiplies rows from the left, which transposes M."""

    def mixture(m, beta, gamma):
        return (1 - beta) * (m + m.T) + beta * (m - m.T) - gamma * np.eye(H)

    linear, inner = (mixture(w[f"M_{k}"], w[f"beta_{k}"], w[f"gamma_{k}"]) for k in "AW")
    h = h + w["epsilon"] * (linear @ h + tanh(inner @ h + w["U"] @ x + w["b"]))
    return h, (h,)


def ltc(w, x, h, dt):
    """Hasani et al. (2021), algorithm 1: the fused step of eq. 3, taken L times."""
    for _ in range(int(w["unfolds"])):
        f = sigma(w["W"] @ x + w["U"] @ h + w["b"])
        step = dt / w["unfolds"]
        h = (h + step * f * w["A"]) / (1 + step * (np.log1p(np.exp(w["g"])) + f))
    return h, (h,)


def fastrnn(w, x, h):
    """Kusupati et al. (2018), section 3.1, with both numbers between 0 and 1 as in their code."""
    candidate = tanh(product(w, "W") @ x + product(w, "U") @ h + w["b"])
    h = sigma(w["alpha"]) * candidate + sigma(w["beta"]) * h
    return h, (h,)


def fastgrnn(w, x, h):
    """Kusupati et al. (2018), section 3.2."""
    shared = product(w, "W") @ x + product(w, "U") @ h
    z, candidate = sigma(shared + w["b_z"]), tanh(shared + w["b_h"])
    h = (sigma(w["zeta"]) * (1 - z) + sigma(w["nu"])) * candidate + z * h
    return h, (h,)


def product(w, name):
    """Their W = W_1 W_2^T, where it is of low rank."""
    return w[name] if name in w else w[f"{name}_1"] @ w[f"{name}_2"]


STEPS = {
    "antisymmetric": antisymmetric, "antisymmetric-gated": antisymmetric_gated, "orthogonal": orthogonal,
    "unitary": unitary, "cornn": cornn, "lem": lem, "unicornn": unicornn, "lipschitz": lipschitz, "ltc": ltc,
    "fastrnn": fastrnn, "fastrnn-low-rank": fastrnn, "fastgrnn": fastgrnn, "fastgrnn-low-rank": fastgrnn,
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_cell_is_its_paper_s(name):
    assert_is(CATALOGUE[name].build(D, H, dtype=torch.float64), STEPS[name])


@pytest.mark.parametrize("unfolds", [1, 2, 9])
def test_an_ltc_takes_as_many_steps_as_it_is_told(unfolds):
    assert_is(LTC(D, H, unfolds=unfolds, dtype=torch.float64), ltc)


@pytest.mark.parametrize("reflections", [1, 2, 5, 12])
def test_an_orthogonal_network_has_as_many_mirrors_as_it_is_told(reflections):
    assert_is(OrthogonalRNN(D, H, reflections=reflections, dtype=torch.float64), orthogonal)


# CfC, beside ncps


@pytest.mark.parametrize("layers", [1, 3])
def test_a_cfc_is_that_of_ncps_whose_gate_has_no_second_part(layers):
    """The paper's gate is sigma(-f t), its two ends g and h; ncps adds a learned number to -f t, which is 0 here."""
    peer = pytest.importorskip("ncps.torch", reason="ncps is not installed")
    cell, w = drawn(CfC(D, H, layers=layers, dtype=torch.float64))
    theirs = peer.CfCCell(D, H, backbone_units=H, backbone_layers=layers).double()
    backbone = [part for part in theirs.backbone if isinstance(part, torch.nn.Linear)]
    first = np.concatenate([w["W_k"], w["U_k"]], 1)
    matrices = [first, *(w[f"K_{n}"] for n in range(2, layers + 1)), w["W_q"], w["W_g"], -w["W_f"], 0 * w["W_f"]]
    biases = [*(w[f"b_{n}"] for n in range(1, layers + 1)), w["b_q"], w["b_g"], -w["b_f"], 0 * w["b_f"]]
    parts = [*backbone, theirs.ff1, theirs.ff2, theirs.time_a, theirs.time_b]
    with torch.no_grad():
        for part, matrix, bias in zip(parts, matrices, biases, strict=True):
            part.weight.copy_(torch.from_numpy(matrix))
            part.bias.copy_(torch.from_numpy(bias))
    h, expected = torch.zeros(B, H, dtype=torch.float64), []
    for x, dt in zip(inputs(), times(), strict=True):
        h, _ = theirs(x, h, dt[:, None])
        expected.append(h)
    torch.testing.assert_close(unroll(cell, inputs(), dt=times())[0], torch.stack(expected), rtol=1e-11, atol=1e-13)


# what the papers say besides


@pytest.mark.parametrize("reflections", [1, 4, 9])
def test_no_weights_lead_out_of_the_orthogonal_matrices(reflections):
    _, w = drawn(OrthogonalRNN(D, H, reflections=reflections, dtype=torch.float64))
    np.testing.assert_allclose(rotation(w) @ rotation(w).T, np.eye(H), atol=1e-12)


def test_a_unitary_matrix_keeps_the_length_of_a_state():
    cell, w = drawn(CATALOGUE["unitary"].build(D, H, dtype=torch.float64, initialisers={"b": 0.0}))
    with torch.no_grad():
        cell.b.zero_()
    np.testing.assert_allclose(evolution(w) @ evolution(w).conj().T, np.eye(H), atol=1e-12)
    start = cell.definition.pack_state(list(torch.randn(2, B, H, generator=torch.Generator().manual_seed(1)).double()))
    _, last = unroll(cell, torch.zeros(200, B, D, dtype=torch.float64), start)
    length = [(h**2 + k**2).sum(1).sqrt() for h, k in (start, last)]
    torch.testing.assert_close(length[1], length[0], rtol=1e-2, atol=0)


def test_the_matrices_of_a_unitary_network_that_never_learn_are_fourier_s_and_a_permutation():
    cell = CATALOGUE["unitary"].build(D, 8, dtype=torch.float64)
    fourier = torch.fft.fft(torch.eye(8, dtype=torch.complex128), norm="ortho")
    torch.testing.assert_close(torch.complex(cell.C, -cell.S), fourier, rtol=1e-12, atol=1e-14)
    assert cell.P.sum(0).tolist() == cell.P.sum(1).tolist() == [1.0] * 8
    assert {"C", "S", "P"} == {name for name, _ in cell.named_buffers()}


def test_an_antisymmetric_network_without_input_neither_fades_nor_explodes():
    cell = CATALOGUE["antisymmetric"].build(D, H, epsilon=0.001, gamma=0, dtype=torch.float64)
    start = torch.randn(B, H, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.1
    _, last = unroll(cell, torch.zeros(1000, B, D, dtype=torch.float64), start)
    torch.testing.assert_close(last.norm(dim=1), start.norm(dim=1), rtol=0.1, atol=0)


def test_the_state_of_an_ltc_stays_between_0_and_a():
    """Hasani et al. (2021), theorem 2, where A is above 0."""
    cell = LTC(D, H, initialisers={"A": 2.0})
    outputs, _ = unroll(cell, torch.randn(T, B, D) * 50, dt=torch.rand(T, B) * 100 + 0.1)
    assert 0 <= outputs.min() <= outputs.max() <= 2


def test_the_rest_of_an_ltc_starts_with_a_time_constant_of_one():
    cell = LTC(1, 1, dtype=torch.float64)
    with torch.no_grad():
        cell.A.zero_()
        cell.W.zero_()
        cell.U.zero_()
        cell.b.fill_(-100.0)  # nothing flows in, and nothing through f
    start = torch.ones(1, 1, dtype=torch.float64)
    _, last = unroll(cell, torch.zeros(1, 1, 1, dtype=torch.float64), start, dt=torch.ones(1, 1, dtype=torch.float64))
    assert last.item() == pytest.approx((1 + 1 / 6) ** -6)


def test_fast_networks_start_as_their_authors_have_it():
    assert (CATALOGUE["fastrnn"].build(D, H).alpha, CATALOGUE["fastrnn"].build(D, H).beta) == (-3, 3)
    gated = CATALOGUE["fastgrnn-low-rank"].build(D, H)
    assert (gated.zeta, gated.nu, gated.b_z.unique(), gated.b_h.unique()) == (1, -4, 1, 1)


# what is not possible


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("fastrnn-low-rank", {"rank_w": 6}, r"LowRankFastRNN: rank_w = 6 was given\. It is at most hidden_size = 5"),
        ("fastgrnn-low-rank", {"rank_u": 6}, r"rank_u = 6 was given\. It is at most hidden_size = 5"),
        ("fastgrnn-low-rank", {"rank_u": 0}, r"rank_u: 0 was given\. A size is at least 1"),
        ("antisymmetric", {"epsilon": 0}, r"epsilon = 0 was given\. It is above 0"),
        ("antisymmetric-gated", {"gamma": -0.1}, r"gamma = -0\.1 was given\. It is at least 0"),
        ("cornn", {"delta_t": -1}, r"delta_t = -1 was given\. It is above 0"),
        ("lem", {"delta_t": 0}, r"delta_t = 0 was given\. It is above 0"),
        ("unicornn", {"delta_t": 0}, r"delta_t = 0 was given\. It is above 0"),
        ("lipschitz", {"beta_W": 1.5}, r"beta_W = 1\.5 was given\. It is at most 1"),
        ("lipschitz", {"epsilon": float("nan")}, r"epsilon = nan was given\. It is above 0"),
        ("ltc", {"unfolds": 65}, r"unfolds = 65 was given\. It is at most 64"),
        ("orthogonal", {"reflections": 100}, r"reflections = 100 was given\. It is at most 64"),
        ("ltc", {"unfolds": 0}, r"unfolds: 0 was given\. It is a whole number, at least 1"),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_possible_is_an_error(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        CATALOGUE[name].build(D, H, **settings)


@pytest.mark.parametrize("engine", ["auto", "eager"])
@pytest.mark.parametrize("given", [0.0, -1.0, math.nan])
@pytest.mark.parametrize("name", ["ltc", "cfc"])
def test_time_must_pass(name, given, engine):
    dt = torch.ones(T, B)
    dt[3, 1] = given
    with pytest.raises(ConfigError, match=rf"dt: {given:g} was given\. In this cell's equations time passes: dt > 0"):
        unroll(CATALOGUE[name].build(D, H), inputs().float(), dt=dt, engine=engine)


@pytest.mark.parametrize("reverse", [False, True])
def test_time_need_not_pass_beyond_the_end_of_a_row(reverse):
    lengths = torch.tensor([7, 3, 0, 5])
    dt = torch.where(torch.arange(T)[:, None] < lengths, 1.0, 0.0)
    outputs, _ = unroll(LTC(D, H), inputs().float(), lengths=lengths, dt=dt, reverse=reverse)
    assert outputs.isfinite().all()


def test_time_must_pass_between_the_steps_of_a_stream():
    stream = Stream(LTC(D, H), batch_size=B)
    stream(inputs()[0].float(), torch.ones(B))
    with pytest.raises(ConfigError, match=r"dt: 0 was given\. .*dt > 0"):
        stream(inputs()[0].float(), torch.zeros(B))


def test_time_may_stand_still_in_equations_that_do_not_mind():
    outputs, _ = unroll(cell_of("h' = exp(-dt) * h + x", D, D), inputs().float(), dt=torch.zeros(T, B))
    torch.testing.assert_close(outputs[-1], inputs().float().sum(0))
