"""Echo state network: update and ridge readout written out in NumPy, from Jaeger (2001) and Lukoševičius (2012).

Jaeger's eq. 24, with stepsize 1:  x(n+1) = (1 - C a) x(n) + C f(W_in u(n+1) + W x(n) + W_back y(n)).
Lukoševičius' eq. 2 and 3 are the case a = 1; his eq. 9 is the readout.
"""

import numpy as np
import pytest
import torch

from ostinato import CATALOGUE, unroll
from ostinato.models.reservoir import ReservoirModel


@pytest.mark.parametrize(("C", "a"), [(0.44, 0.9), (0.3, 1.0), (1.0, 1.0)])
def test_the_update_is_jaegers(C, a):
    torch.manual_seed(0)
    scale = {"spectral_radius": 0.79, "input_scale": 0.56}
    cell = CATALOGUE["echo-state"].build(2, 30, leak=C, decay=a, sparsity=0.5, dtype=torch.float64, **scale)
    u = np.random.default_rng(0).standard_normal((20, 2))
    W_in, W, bias = 0.56 * cell.W_in.numpy(), 0.79 * cell.W.numpy(), 0.56 * cell.b.numpy()
    x, expected = np.zeros(30), []
    for step in u:
        x = (1 - C * a) * x + C * np.tanh(W_in @ step + bias + W @ x)
        expected.append(x)
    found, _ = unroll(cell, torch.from_numpy(u)[:, None])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_an_output_fed_back_is_jaegers_second_input_matrix():
    torch.manual_seed(1)
    model = ReservoirModel(1, 20, 1, leak=0.44, decay=0.9)
    with torch.no_grad():
        model.readout.normal_(std=0.3)
    W_back, W, bias = (model.cell.W_in.numpy(), 0.9 * model.cell.W.numpy(), model.cell.b.numpy())
    teacher = np.random.default_rng(1).standard_normal((15, 1))
    x = np.zeros(20)
    for y in teacher:
        seen, x = y, (1 - 0.44 * 0.9) * x + 0.44 * np.tanh(W_back @ y + bias + W @ x)
    expected = []
    for _ in range(8):
        y = model.readout.numpy() @ np.concatenate([[1.0], seen, x])
        expected.append(y)
        seen, x = y, (1 - 0.44 * 0.9) * x + 0.44 * np.tanh(W_back @ y + bias + W @ x)
    found = model.generate(torch.from_numpy(teacher)[:, None], 8)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_the_readout_is_the_normal_equations(ridge):
    torch.manual_seed(2)
    model = ReservoirModel(2, 12, 3)
    inputs = torch.randn(300, 1, 2, dtype=torch.float64)
    targets = torch.randn(300, 1, 3, dtype=torch.float64)
    model.fit(inputs, targets, washout=40, ridge=ridge)
    X = model.features(inputs)[0][40:, 0].numpy()
    Y = targets[40:, 0].numpy()
    gram = X.T @ X
    penalty = ridge * np.trace(gram) / len(gram)
    expected = np.linalg.solve(gram + penalty * np.eye(len(gram)), X.T @ Y).T
    np.testing.assert_allclose(model.readout, expected, rtol=1e-8, atol=1e-10)
