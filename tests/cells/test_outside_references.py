"""That the equations are the paper's: each family against something that knows nothing of ours."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato import CATALOGUE, unroll

D, H, P, T, B = 3, 5, 2, 6, 4
LAYERS = {
    "lstm": lambda **v: nn.LSTM(D, H, **v),
    "gru": lambda **v: nn.GRU(D, H, **v),
    "elman": lambda **v: nn.RNN(D, H, **v),
    "elman-relu": lambda **v: nn.RNN(D, H, nonlinearity="relu", **v),
    "projected-lstm": lambda **v: nn.LSTM(D, H, proj_size=P, **v),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def both(name: str, **values):
    """Return torch's layer and our cell."""
    torch.manual_seed(3)
    return LAYERS[name](dtype=torch.float64, **values), CATALOGUE[name].build(D, H, dtype=torch.float64, **values)


def inputs():
    return torch.randn(T, B, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def taken_from(layer: nn.Module) -> dict:
    return {n.removesuffix("_l0"): p for n, p in layer.state_dict().items()}


@every_layer
@pytest.mark.parametrize("bias", [True, False])
def test_torch_s_weights_load_and_give_torch_s_outputs(name, bias):
    layer, cell = both(name, bias=bias)
    cell.load_state_dict(taken_from(layer))
    expected, _ = layer(inputs())
    torch.testing.assert_close(unroll(cell, inputs(), engine="eager")[0], expected, rtol=1e-12, atol=1e-14)


@every_layer
def test_our_weights_load_into_torch_bit_for_bit(name):
    layer, cell = both(name)
    layer.load_state_dict({f"{n}_l0": p for n, p in cell.state_dict().items()})
    assert {n: p.tolist() for n, p in taken_from(layer).items()} == {
        n: p.tolist() for n, p in cell.state_dict().items()
    }
    torch.testing.assert_close(layer(inputs())[0], unroll(cell, inputs())[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "elman-relu"])
def test_torch_s_own_kernels_give_torch_s_bits(name):
    layer, cell = both(name)
    cell.load_state_dict(taken_from(layer))
    assert torch.equal(unroll(cell, inputs(), engine="vendor")[0], layer(inputs())[0])


@every_layer
def test_torch_s_gradients_are_ours(name):
    layer, cell = both(name)
    cell.load_state_dict(taken_from(layer))
    layer(inputs())[0].square().sum().backward()
    unroll(cell, inputs(), engine="eager")[0].square().sum().backward()
    for n, parameter in layer.named_parameters():
        found = getattr(cell, n.removesuffix("_l0")).grad
        torch.testing.assert_close(found, parameter.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("lstm", nn.LSTMCell(D, H)), ("gru", nn.GRUCell(D, H)), ("elman", nn.RNNCell(D, H))],
    ids=["lstm", "gru", "elman"],
)
def test_one_step_is_torch_s_cell(name, theirs):
    cell = CATALOGUE[name].build(D, H)
    cell.load_state_dict(theirs.state_dict())
    x = inputs()[0].float()
    expected = theirs(x)
    torch.testing.assert_close(cell(x)[0], expected[0] if name == "lstm" else expected)


# cells torch does not have, from the papers' equations in plain NumPy


def weights(name: str, **values):
    """Return a cell with large weights, and its symbols as arrays."""
    cell = CATALOGUE[name].build(D, H, dtype=torch.float64, **values)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(5), std=0.7)
    return cell, {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}


def logistic(a):
    return 1 / (1 + np.exp(-a))


def test_jordan_is_the_network_whose_output_is_its_context():
    cell, w = weights("jordan", output_size=P)
    y, expected = np.zeros((B, P)), []
    for x in inputs().numpy():
        hidden = np.tanh(x @ w["W_h"].T + y @ w["U_h"].T + w["b_h"])
        y = np.tanh(hidden @ w["W_y"].T + w["b_y"])
        expected.append(y)
    np.testing.assert_allclose(unroll(cell, inputs())[0].detach(), expected, rtol=1e-12)


def test_the_gru_of_the_paper_resets_the_state_before_its_product():
    """Cho et al. (2014), eq. 5 to 8, one sequence, one unit at a time."""
    cell, w = weights("gru-reset-before")
    outputs = unroll(cell, inputs())[0].detach().numpy()
    for row in range(B):
        h = [0.0] * H
        for t, x in enumerate(inputs()[:, row].numpy()):
            r = [logistic(w["W_r"][j] @ x + w["U_r"][j] @ h + w["b_r"][j]) for j in range(H)]
            z = [logistic(w["W_z"][j] @ x + w["U_z"][j] @ h + w["b_z"][j]) for j in range(H)]
            reset = [r[j] * h[j] for j in range(H)]
            candidate = [np.tanh(w["W_n"][j] @ x + w["U_n"][j] @ reset + w["b_n"][j]) for j in range(H)]
            h = [z[j] * h[j] + (1 - z[j]) * candidate[j] for j in range(H)]
            np.testing.assert_allclose(outputs[t, row], h, rtol=1e-12)


def test_the_projected_lstm_feeds_back_its_projection():
    """Sak, Senior and Beaufays (2014), eq. 1 to 7 with the projection r, without peepholes."""
    cell, w = weights("projected-lstm")
    outputs, last = unroll(cell, inputs())
    r, c = np.zeros((B, P)), np.zeros((B, H))
    for t, x in enumerate(inputs().numpy()):
        pre = {k: x @ w[f"W_{k}"].T + r @ w[f"U_{k}"].T + w[f"b_{k}"] + w[f"d_{k}"] for k in "ifgo"}
        c = logistic(pre["f"]) * c + logistic(pre["i"]) * np.tanh(pre["g"])
        r = (logistic(pre["o"]) * np.tanh(c)) @ w["weight_hr"].T
        np.testing.assert_allclose(outputs[t].detach(), r, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(last.c.detach(), c, rtol=1e-11)
