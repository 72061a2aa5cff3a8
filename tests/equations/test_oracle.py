"""The oracle against the loop it stands for, written out by hand."""

import numpy as np
import pytest

from ostinato.equations import oracle
from ostinato.equations.parse import parse

T, B, D, H = 5, 3, 2, 4
DRAW = np.random.default_rng(11)
W, U, B_, V = DRAW.normal(size=(H, D)), DRAW.normal(size=(H, H)), DRAW.normal(size=H), DRAW.normal(size=(3, H))
X, H0 = DRAW.normal(size=(T, B, D)), DRAW.normal(size=(B, H))
FIXED = {"W": W, "U": U, "b": B_}
ELMAN = parse("h' = tanh(W @ x + U @ h + b)")


def loop(x, h, w=W, u=U, b=B_):
    outputs = []
    for step in x:
        h = np.tanh(step @ w.T + h @ u.T + b)
        outputs.append(h)
    return np.stack(outputs), h


def test_a_run_is_the_loop_over_time():
    outputs, last, before = oracle.run(ELMAN, FIXED, X, {"h": H0})
    expected, end = loop(X, H0)
    np.testing.assert_allclose(outputs, expected, rtol=1e-14)
    np.testing.assert_allclose(last["h"], end, rtol=1e-14)
    np.testing.assert_allclose([s["h"] for s in before], np.stack([H0, *expected[:-1]]), rtol=1e-14)


def test_dt_reaches_each_step():
    dt = DRAW.uniform(0.1, 2, size=(T, B))
    outputs, _, _ = oracle.run(parse("h' = exp(-dt) * h"), {}, X, {"h": H0}, dt)
    np.testing.assert_allclose(outputs[-1], np.exp(-dt.sum(0))[:, None] * H0, rtol=1e-12)


def test_a_constant_has_the_value_given():
    outputs, _, _ = oracle.run(parse("a = 0.5\nh' = a * h"), {"a": np.float64(0.1)}, X[:1], {"h": H0})
    np.testing.assert_allclose(outputs[0], 0.1 * H0)


def test_float32_values_are_computed_in_float64():
    result = oracle.evaluate(ELMAN, {"x": X[0].astype(np.float32), "h": H0.astype(np.float32), **FIXED})
    assert result["y"].dtype == np.float64


@pytest.mark.parametrize("name", ["x", "h", "W", "U", "b"])
def test_back_propagation_is_the_central_difference_of_the_loop(name):
    d_outputs, d_last = DRAW.normal(size=(T, B, H)), DRAW.normal(size=(B, H))
    found = oracle.backpropagate(ELMAN, FIXED, X, {"h": H0}, d_outputs, {"h": d_last})[name]
    values = {"x": X, "h": H0, "W": W, "U": U, "b": B_}

    def loss(moved):
        outputs, last = loop(*{**values, name: moved}.values())
        return (outputs * d_outputs).sum() + (last * d_last).sum()

    expected = np.zeros_like(values[name])
    for index in np.ndindex(expected.shape):
        shift = np.zeros_like(expected)
        shift[index] = 1e-6
        expected[index] = (loss(values[name] + shift) - loss(values[name] - shift)) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_state_and_an_output_both_called_y_keep_their_own_gradients():
    program = parse("h' = tanh(x + h)\ny' = 0.5 * y + h'")
    ones, zeros = np.ones((1, B, D)), np.zeros((B, D))
    state = {"h": zeros, "y": zeros}
    of_output = oracle.backpropagate(program, {}, X[:1], state, ones, {"h": zeros, "y": zeros})
    of_state = oracle.backpropagate(program, {}, X[:1], state, 0 * ones, {"h": zeros, "y": ones[0]})
    np.testing.assert_array_equal(of_output["y"], 0 * zeros)
    np.testing.assert_array_equal(of_state["y"], zeros + 0.5)


def test_a_parameter_nothing_flows_into_has_no_gradient():
    program = parse("h' = h + 0 * sign(b) + x")
    found = oracle.backpropagate(program, {"b": np.ones(D)}, X, {"h": H0[:, :D]}, np.ones((T, B, D)), {"h": 0 * X[0]})
    np.testing.assert_array_equal(found["b"], np.zeros(D))


def test_a_scalar_parameter_s_gradient_is_one_number():
    program = parse("a : scalar\nh' = a * x + h")
    found = oracle.backpropagate(program, {"a": np.float64(2)}, X, {"h": 0 * X[0]}, 0 * X, {"h": np.ones((B, D))})
    np.testing.assert_allclose(found["a"], X.sum())
    assert np.shape(found["a"]) == ()


def test_the_adjoint_gives_the_gradient_of_time():
    from ostinato.equations.differentiate import differentiate

    values = {"x": X[0], "h": H0, "dt": np.full((B, 1), 0.3), "d y": np.ones((B, H)), "d h'": np.zeros((B, H))}
    found = oracle.evaluate(differentiate(parse("h' = exp(-dt) * h")), values)["dt"]
    np.testing.assert_allclose(found[:, 0], (-np.exp(-0.3) * H0).sum(1))
