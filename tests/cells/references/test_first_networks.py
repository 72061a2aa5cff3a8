"""The first networks and what was added to them, beside the papers' formulas in plain NumPy, and beside torch."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato import CATALOGUE, ConfigError, EquationCell, unroll

D, H, B, T = 3, 4, 5, 12
OUTPUTS = 2
X = torch.randn(T, B, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def made(name: str, **values) -> tuple[EquationCell, dict[str, np.ndarray]]:
    """Return a cell with weights that matter, and its symbols as arrays."""
    cell = CATALOGUE[name].build(D, H, dtype=torch.float64, **values)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.5)
    return cell, {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}


def outputs_of(cell: EquationCell) -> np.ndarray:
    return unroll(cell, X)[0].detach().numpy()


def check(cell: EquationCell, expected) -> None:
    np.testing.assert_allclose(outputs_of(cell), expected, rtol=1e-10, atol=1e-12)


# rectified and linear


def test_the_irnn_is_torch_s_rectified_network():
    cell, w = made("irnn")
    theirs = nn.RNN(D, H, nonlinearity="relu", dtype=torch.float64)
    held = {"weight_ih_l0": w["W"], "weight_hh_l0": w["U"], "bias_ih_l0": w["b"], "bias_hh_l0": np.zeros(H)}
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in held.items()})
    check(cell, theirs(X)[0].detach().numpy())


def test_the_irnn_starts_as_the_paper_says():
    """Le, Jaitly and Hinton (2015), §4: identity, zero biases, the other weights normal with deviation 0.001."""
    torch.manual_seed(0)
    cell = CATALOGUE["irnn"].build(100, 100)
    assert torch.equal(cell.U, torch.eye(100))
    assert not cell.b.any()
    assert cell.W.std().item() == pytest.approx(0.001, rel=0.05)


def test_an_irnn_keeps_what_it_has_when_nothing_comes():
    cell = CATALOGUE["irnn"].build(D, H, dtype=torch.float64)
    start = torch.rand(B, H, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    _, last = unroll(cell, torch.zeros(1000, B, D, dtype=torch.float64), start)
    assert torch.equal(last, start)


def test_the_linear_network_is_the_sum_of_all_inputs_each_through_a_power_of_its_matrix():
    cell, w = made("linear", bias=False)
    powers = [np.linalg.matrix_power(w["U"], k) for k in range(T)]
    check(cell, [sum(X[s].numpy() @ (powers[t - s] @ w["W"]).T for s in range(t + 1)) for t in range(T)])


# leaks


def leaky(w: dict[str, np.ndarray], leak) -> list[np.ndarray]:
    """Return the outputs of units that each step go the share `leak` of the way to a vanilla unit."""
    states = [np.zeros((B, H))]
    for x in X.numpy():
        states.append(states[-1] + leak * (np.tanh(x @ w["W"].T + states[-1] @ w["U"].T + w["b"]) - states[-1]))
    return states[1:]


@pytest.mark.parametrize("leak", [0.05, 0.3, 1.0])
def test_leaky_units_go_a_fixed_share_of_the_way(leak):
    cell, w = made("leaky", leak=leak)
    check(cell, leaky(w, leak))


def test_each_unit_may_learn_its_own_leak():
    cell, w = made("learned-leak")
    check(cell, leaky(w, 1 / (1 + np.exp(-w["leak"]))))


def test_a_leak_forgets_an_impulse_at_its_own_rate():
    """The time constant of the response is the leak's: a share 1 - leak is left after each step."""
    cell = CATALOGUE["leaky"].build(1, 1, leak=0.2, dtype=torch.float64, initialisers={"U": 0.0, "b": 0.0, "W": 1.0})
    impulse = torch.zeros(50, 1, 1, dtype=torch.float64)
    impulse[0] = 1.0
    found = unroll(cell, impulse)[0].flatten().detach().numpy()
    np.testing.assert_allclose(found, 0.2 * np.tanh(1.0) * 0.8 ** np.arange(50), rtol=1e-12)


@pytest.mark.parametrize("leak", [0.0, -0.1, 1.5])
def test_a_leak_is_a_share(leak):
    with pytest.raises(ConfigError, match="leak"):
        CATALOGUE["leaky"].build(D, H, leak=leak)


# delays


@pytest.mark.parametrize("delay", [1, 2, 3, 7])
def test_a_skip_connection_reads_the_state_of_that_many_steps_ago(delay):
    cell, w = made("skip-connections", delay=delay)
    states = [np.zeros((B, H)) for _ in range(delay)]  # those before the first step
    for x in X.numpy():
        far = states[-delay] @ w["V"].T if delay > 1 else 0.0
        states.append(np.tanh(x @ w["W"].T + states[-1] @ w["U"].T + far + w["b"]))
    check(cell, states[delay:])


def test_a_skip_of_one_step_is_the_vanilla_network():
    cell, w = made("skip-connections", delay=1)
    vanilla = CATALOGUE["elman"].build(D, H, dtype=torch.float64, initialisers={"bias_hh": 0.0})
    with torch.no_grad():
        for name, symbol in {"W": "W", "U": "U", "b": "b"}.items():
            getattr(vanilla, name).copy_(torch.from_numpy(w[symbol]))
    check(cell, outputs_of(vanilla))


def test_a_gradient_crosses_a_skip_at_once():
    """With no other recurrence, only every third state before the last hears of a change at the end."""
    cell, _ = made("skip-connections", delay=3)
    with torch.no_grad():
        cell.U.zero_()
    inputs = X.clone().requires_grad_()
    unroll(cell, inputs)[0][-1].sum().backward()
    heard = inputs.grad.abs().sum((1, 2)).flip(0).bool().tolist()
    assert heard == [k % 3 == 0 for k in range(T)]


@pytest.mark.parametrize(("delay", "inputs"), [(1, 1), (3, 1), (2, 4), (5, 2)])
def test_a_narx_network_reads_its_last_outputs_and_inputs(delay, inputs):
    """Lin et al. (1996): y(t) is a multilayer perceptron of u(t), …, u(t - n_u) and y(t - 1), …, y(t - n_y)."""
    cell, w = made("narx", delay=delay, inputs=inputs, output_size=OUTPUTS)
    x = [*np.zeros((inputs, B, D)), *X.numpy()]
    y = list(np.zeros((delay, B, OUTPUTS)))
    for t in range(T):
        hidden = w["b_z"]
        for k in range(inputs):
            hidden = hidden + x[inputs + t - k] @ w[f"W_{k}" if k else "W"].T
        for k in range(1, delay + 1):
            hidden = hidden + y[-k] @ w[f"U_{k - 1}" if k > 1 else "U"].T
        y.append(np.tanh(hidden) @ w["V"].T + w["b_y"])
    check(cell, y[delay:])


# clocks


@pytest.mark.parametrize("modules", [1, 2, 4])
def test_the_clockwork_network_is_one_masked_matrix_and_a_remainder(modules):
    """Koutník et al. (2014), eq. 1 and 2, with W_H whole: block rows move where t mod T_i is 0."""
    cell, w = made("clockwork", modules=modules, output_size=OUTPUTS)
    numbers = range(1, modules + 1)
    recurrent = np.zeros((modules * H, modules * H))
    for i in numbers:
        for j in range(i, modules + 1):
            recurrent[(i - 1) * H : i * H, (j - 1) * H : j * H] = w[f"U_{i}_{j}"]
    entering = np.concatenate([w[f"W_{k}"] for k in numbers])
    bias = np.concatenate([w[f"b_{k}"] for k in numbers])
    shown = np.concatenate([w[f"V_{k}"] for k in numbers], axis=1)
    period = np.repeat([2 ** (k - 1) for k in numbers], H)
    state, expected = np.zeros((B, modules * H)), []
    for t, x in enumerate(X.numpy()):
        moved = np.tanh(state @ recurrent.T + x @ entering.T + bias)
        state = np.where(t % period == 0, moved, state)
        expected.append(state @ shown.T + w["b_y"])
    check(cell, expected)


def test_a_clock_is_right_for_long():
    """The counters start over at each period, so they stay exact: module 4 moves at every eighth step and no other."""
    cell = CATALOGUE["clockwork"].build(1, 1, initialisers=0.1)
    states, state = [], cell.initial_state(1)
    for _ in range(1000):
        _, state = cell.step(torch.randn(1, 1, generator=torch.Generator().manual_seed(len(states))), state)
        states.append(state.h_4.item())
    moved = [t for t in range(1, 1000) if states[t] != states[t - 1]]
    assert moved == list(range(8, 1000, 8))
