"""Networks in which units do not hear each other, beside their papers in NumPy, in complex numbers where they are."""

import math
import pickle

import numpy as np
import pytest
import torch
from tests.cells.references.papers import B, D, H, assert_is, inputs, sigma

from ostinato import CATALOGUE, ConfigError, unroll
from ostinato.cells.diagonal.lru import LRU
from ostinato.cells.ring import ring
from ostinato.equations.structure import structure

tanh, exp = np.tanh, np.exp


def indrnn(w, x, h):
    """Li et al. (2018), eq. 2, with their rectifier."""
    h = np.maximum(w["W"] @ x + w["u"] * h + w["b"], 0)
    return h, (h,)


def sru(w, x, c):
    """Lei et al. (2018), eq. 1 to 4, the highway from another size than H."""
    f = sigma(w["W_f"] @ x + w["v_f"] * c + w["b_f"])
    r = sigma(w["W_r"] @ x + w["v_r"] * c + w["b_r"])
    c = f * c + (1 - f) * (w["W"] @ x)
    return r * c + (1 - r) * (w["W_x"] @ x), (c,)


def sru_input_gates(w, x, c):
    """Lei, Zhang and Artzi (2017, arXiv:1709.02755v1), section 2, with tanh before the highway."""
    f, r = sigma(w["W_f"] @ x + w["b_f"]), sigma(w["W_r"] @ x + w["b_r"])
    c = f * c + (1 - f) * (w["W"] @ x)
    return r * tanh(c) + (1 - r) * (w["W_x"] @ x), (c,)


def convolved(w, gate, before, x):
    """Bradbury et al. (2017), eq. 2: a filter of width 2 over time, zeros before the first step."""
    return w[f"V_{gate}"] @ before + w[f"W_{gate}"] @ x + w[f"b_{gate}"]


def qrnn_f(w, x, h, before):
    """Eq. 3."""
    z, f = tanh(convolved(w, "z", before, x)), sigma(convolved(w, "f", before, x))
    h = f * h + (1 - f) * z
    return h, (h, x)


def qrnn_fo(w, x, before, c):
    """Eq. 4."""
    z = tanh(convolved(w, "z", before, x))
    f, o = (sigma(convolved(w, gate, before, x)) for gate in "fo")
    c = f * c + (1 - f) * z
    return o * c, (x, c)


def qrnn_ifo(w, x, before, c):
    """Eq. 5."""
    z = tanh(convolved(w, "z", before, x))
    i, f, o = (sigma(convolved(w, gate, before, x)) for gate in "ifo")
    c = f * c + i * z
    return o * c, (x, c)


def mingru(w, x, h):
    """Feng et al. (2024), section 3.1."""
    z = sigma(w["W_z"] @ x + w["b_z"])
    h = (1 - z) * h + z * (w["W_h"] @ x + w["b_h"])
    return h, (h,)


def minlstm(w, x, h):
    """Feng et al. (2024), section 3.2, its gates normalised."""
    f, i = sigma(w["W_f"] @ x + w["b_f"]), sigma(w["W_i"] @ x + w["b_i"])
    h = f / (f + i) * h + i / (f + i) * (w["W_h"] @ x + w["b_h"])
    return h, (h,)


def eigenvalues(w):
    """Orvieto et al. (2023), section 3: exp(-exp(nu) + i exp(theta))."""
    return exp(-exp(w["nu"]) + 1j * exp(w["theta"]))


def lru(w, x, real, imaginary):
    """Orvieto et al. (2023), section 3: x_k = lambda x_(k-1) + gamma B u_k, y_k = Re(C x_k) + D u_k."""
    state = eigenvalues(w) * (real + 1j * imaginary) + exp(w["gamma"]) * ((w["B_s"] + 1j * w["B_t"]) @ x)
    y = ((w["C_s"] + 1j * w["C_t"]) @ state).real + w["D_x"] @ x
    return y, (state.real, state.imag)


def rglru(w, x, h):
    """De et al. (2024), eq. 1 to 4, behind a linear layer; a = sigmoid(Lambda), a_t = a^(c r_t)."""
    v = w["W_v"] @ x + w["b_v"]
    r, i = sigma(w["W_a"] @ v + w["b_a"]), sigma(w["W_x"] @ v + w["b_x"])
    a = sigma(w["l"]) ** (w["c"] * r)
    h = a * h + np.sqrt(1 - a**2) * (i * v)
    return h, (h,)


STEPS = {
    "indrnn": indrnn, "sru": sru, "sru-input-gates": sru_input_gates, "qrnn-f": qrnn_f, "qrnn-fo": qrnn_fo,
    "qrnn-ifo": qrnn_ifo, "mingru": mingru, "minlstm": minlstm, "lru": lru, "rglru": rglru,
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_cell_is_its_paper_s(name):
    assert_is(CATALOGUE[name].build(D, H, dtype=torch.float64), STEPS[name])


@pytest.mark.parametrize("name", ["sru-input-gates", "mingru", "minlstm", "lru", "rglru"])
def test_the_next_state_is_plainly_linear_in_the_last(name):
    cell = CATALOGUE[name].build(D, H)
    assert structure(cell.program, cell.definition.numbers).is_linear


def test_an_lru_may_give_another_number_of_outputs():
    assert_is(LRU(D, H, output_size=2, dtype=torch.float64), lru)


def test_one_impulse_shows_an_lru_s_closed_form():
    """Orvieto et al. (2023), section 3: y_k = Re(C lambda^k gamma B u) after one input u."""
    cell = LRU(1, H, dtype=torch.float64, initialisers={**ring(0.8, 0.99), "D_x": 0.0})
    w = {name: getattr(cell, name).detach().numpy() for name in cell.definition.symbols}
    impulse = torch.zeros(50, 1, 1, dtype=torch.float64)
    impulse[0] = 1.0
    powers = eigenvalues(w)[None] ** np.arange(50)[:, None]
    inner = (w["C_s"] + 1j * w["C_t"]) * (exp(w["gamma"]) * (w["B_s"] + 1j * w["B_t"])[:, 0])
    found = unroll(cell, impulse)[0][:, 0].detach().numpy()
    np.testing.assert_allclose(found, (powers @ inner.T).real, rtol=1e-9, atol=1e-12)


# how they start


@pytest.mark.parametrize(("low", "high", "phase"), [(0.0, 1.0, 2 * math.pi), (0.9, 0.999, math.pi / 10)])
def test_an_lru_starts_on_its_ring(low, high, phase):
    """Orvieto et al. (2023), lemma 3.2: evenly over the ring, so radii squared are uniform."""
    cell = LRU(D, 4000, initialisers=ring(low, high, phase), dtype=torch.float64)
    found = eigenvalues({name: getattr(cell, name).detach().numpy() for name in ("nu", "theta")})
    shares = (np.abs(found) ** 2 - low**2) / (high**2 - low**2)
    turns = cell.theta.detach().exp().numpy() / phase
    for uniform in (shares, turns):
        assert 0 <= uniform.min() < 0.01
        assert 0.99 < uniform.max() <= 1
        assert uniform.mean() == pytest.approx(0.5, abs=0.03)


def test_a_ring_may_be_named():
    cell = LRU(D, 500, initialisers="ring(0.9, 0.999, 0.3)")
    radii = cell.nu.exp().neg().exp()
    assert 0.9 <= radii.min() <= radii.max() <= 0.999
    assert 0 < cell.theta.exp().min() <= cell.theta.exp().max() <= 0.3


def test_a_ring_is_no_start_of_a_cell_that_does_not_turn():
    with pytest.raises(ConfigError, match=r"'ring\(0\.9, 1\)'\. This cell has no nu and theta"):
        CATALOGUE["mingru"].build(D, H, initialisers="ring(0.9, 1)")


def test_an_lru_of_white_noise_has_states_as_large_as_its_inputs():
    """Orvieto et al. (2023), section 3.4: what gamma is for."""
    cell = LRU(4, 300, initialisers=ring(0.9, 0.99))
    gain = (2 * cell.gamma).exp() / (1 - (-2 * cell.nu.exp()).exp())
    torch.testing.assert_close(gain, torch.ones(300), rtol=1e-3, atol=0)
    generator = torch.Generator().manual_seed(0)
    _, last = unroll(cell, torch.randn(600, 20, 4, generator=generator))
    assert (last[0] ** 2 + last[1] ** 2).mean().item() == pytest.approx(1, rel=0.15)


def test_an_initialiser_of_one_s_own_goes_before_the_gamma_that_follows():
    assert (LRU(D, H, initialisers={"gamma": 0.25}).gamma == 0.25).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["lru", "rglru"])
def test_every_parameter_starts_as_a_number_however_many_there_are(name, dtype):
    cell = CATALOGUE[name].build(2, 3000, dtype=dtype)
    assert all(parameter.isfinite().all() for parameter in cell.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0.5, 0.5), r"ring: from 0\.5 to 0\.5\. Radii are 0 <= r_min < r_max <= 1"),
        ((-0.1, 0.5), r"Radii are 0 <= r_min < r_max <= 1"),
        ((0.5, 1.1), r"Radii are 0 <= r_min < r_max <= 1"),
        ((0.5, 0.9, 0.0), r"ring: max_phase 0\. A phase is above 0"),
    ],
)
def test_a_ring_that_is_none_is_an_error(settings, message):
    with pytest.raises(ConfigError, match=message):
        ring(*settings)


def test_an_lru_survives_pickling_and_may_be_resized():
    cell = LRU(D, H, initialisers=ring(0.9, 0.999))
    again = pickle.loads(pickle.dumps(cell)).resized(4, 200)
    assert 0.9 <= again.nu.exp().neg().exp().min() <= again.nu.exp().neg().exp().max() <= 0.999


def test_an_rg_lru_starts_with_decays_between_the_paper_s():
    """De et al. (2024), section 2.4: a^c uniform between 0.9 and 0.999."""
    decay = torch.sigmoid(CATALOGUE["rglru"].build(D, 4000, dtype=torch.float64).l) ** 8
    assert 0.9 <= decay.min() < 0.901
    assert 0.998 < decay.max() <= 0.999
    assert decay.mean().item() == pytest.approx(0.9495, abs=0.003)


def test_a_gate_of_an_rg_lru_that_forgets_nothing_has_a_gradient():
    """In float32 a is then 1, and the root of 1 - a² has no end of slope."""
    cell = CATALOGUE["rglru"].build(D, H)
    with torch.no_grad():
        cell.b_a.fill_(-60.0)
    unroll(cell, inputs().float())[0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())


def test_the_recurrent_weights_of_an_indrnn_start_between_0_and_1():
    u = CATALOGUE["indrnn"].build(D, 4000).u
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() <= 1


def test_a_qrnn_remembers_the_last_input_alone():
    cell = CATALOGUE["qrnn-fo"].build(D, H, dtype=torch.float64)
    _, last = unroll(cell, inputs())
    assert torch.equal(last.p, inputs()[-1])
    assert last.p.shape == (B, D)
