"""Convolutional networks beside their papers, each convolution written as the loops it stands for."""

import copy
import pickle

import numpy as np
import pytest
import torch
from tests.cells.references.papers import sigma

from ostinato import CATALOGUE, ConfigError, Recurrent, unroll
from ostinato.cells.convolutional.conv_gru import ConvGRU
from ostinato.cells.convolutional.conv_lstm import ConvLSTM

C, K, HIGH, WIDE, B, T = 2, 3, 4, 5, 2, 6
SIZES = {"input_size": C * HIGH * WIDE, "hidden_size": K * HIGH * WIDE, "image_size": (HIGH, WIDE)}
both = pytest.mark.parametrize("kind", [ConvLSTM, ConvGRU])


def made(kind, **settings):
    cell = kind(**SIZES, dtype=torch.float64, **settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.4)
    return cell, {name: p.detach().numpy() for name, p in cell.named_parameters()}


def frames():
    return torch.randn(T, B, C, HIGH, WIDE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def convolved(kernels, image):
    """Each output channel at each pixel: the kernel over its surroundings, which beyond the edge are zero."""
    outputs, _, size, _ = kernels.shape
    reach = size // 2
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)))
    found = np.empty((outputs, HIGH, WIDE))
    for k in range(outputs):
        for row in range(HIGH):
            for column in range(WIDE):
                found[k, row, column] = (kernels[k] * padded[:, row : row + size, column : column + size]).sum()
    return found


def conv_lstm(w, x, state):
    """Shi et al. (2015), eq. 3; gates i f g o, the peephole of o on the new c."""
    h, c = state
    bias = w["bias"][:, None, None] if "bias" in w else 0
    i, f, g, o = np.split(convolved(w["weight_ih"], x) + convolved(w["weight_hh"], h) + bias, 4)
    w_i, w_f, w_o = w.get("weight_c", np.zeros(3))
    i, f = sigma(i + w_i * c), sigma(f + w_f * c)
    c = f * c + i * np.tanh(g)
    h = sigma(o + w_o * c) * np.tanh(c)
    return h, (h, c)


def conv_gru(w, x, state):
    """Ballas et al. (2016), section 3.1: the reset before the convolution, z the share of the new."""
    (h,) = state
    bias = w["bias"][:, None, None] if "bias" in w else 0
    r_x, z_x, n_x = np.split(convolved(w["weight_ih"], x) + bias, 3)
    r_h, z_h = np.split(convolved(w["weight_hh"], h), 2)
    r, z = sigma(r_x + r_h), sigma(z_x + z_h)
    h = (1 - z) * h + z * np.tanh(n_x + convolved(w["weight_rh"], r * h))
    return h, (h,)


CASES = [
    (ConvLSTM, conv_lstm, {}),
    (ConvLSTM, conv_lstm, {"peephole": False}),
    (ConvLSTM, conv_lstm, {"kernel_size": 1, "bias": False}),
    (ConvLSTM, conv_lstm, {"kernel_size": 5}),
    (ConvGRU, conv_gru, {}),
    (ConvGRU, conv_gru, {"kernel_size": 5, "bias": False}),
]


@pytest.mark.parametrize(("kind", "step", "settings"), CASES)
def test_a_cell_is_its_paper_s(kind, step, settings):
    cell, w = made(kind, **settings)
    found = unroll(cell, frames().flatten(2))[0].unflatten(2, (K, HIGH, WIDE)).detach().numpy()
    for row in range(B):
        state = (np.zeros((K, HIGH, WIDE)),) * (2 if kind is ConvLSTM else 1)
        for t in range(T):
            h, state = step(w, frames()[t, row].numpy(), state)
            np.testing.assert_allclose(found[t, row], h, rtol=1e-9, atol=1e-12)


def test_a_conv_lstm_without_peepholes_is_flax_s():
    pytest.importorskip("flax", reason="flax is not installed")
    import jax
    import jax.numpy as jnp
    from flax import linen

    cell, w = made(ConvLSTM, peephole=False)
    theirs = linen.ConvLSTMCell(features=K, kernel_size=(3, 3))
    turned = {name: w[name].transpose(2, 3, 1, 0).astype(np.float32) for name in ("weight_ih", "weight_hh")}
    order = [0, 2, 1, 3]  # theirs are i, g, f, o
    parts = {name: np.concatenate([np.split(t, 4, -1)[k] for k in order], -1) for name, t in turned.items()}
    bias = np.concatenate([np.split(w["bias"], 4)[k] - (k == 1) for k in order]).astype(
        np.float32
    )  # theirs adds 1 to f
    held = {"ih": (parts["weight_ih"], bias), "hh": (parts["weight_hh"], 0 * bias)}
    parameters = {"params": {name: {"kernel": kernel, "bias": b} for name, (kernel, b) in held.items()}}
    carry = theirs.initialize_carry(jax.random.key(0), (B, HIGH, WIDE, C))
    found = unroll(cell, frames().flatten(2))[0].unflatten(2, (K, HIGH, WIDE)).detach().numpy()
    for t, x in enumerate(frames().numpy()):
        carry, h = theirs.apply(parameters, carry, jnp.asarray(x.transpose(0, 2, 3, 1), jnp.float32))
        np.testing.assert_allclose(found[t], np.asarray(h).transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-5)


# cells like any other


@both
def test_an_image_of_one_pixel_needs_no_size(kind):
    cell = kind(3, 5)
    assert (cell.channels, cell.hidden_channels, cell.image_size) == (3, 5, (1, 1))
    assert unroll(cell, torch.randn(4, 2, 3))[0].shape == (4, 2, 5)


@both
def test_lengths_and_resets_are_those_of_any_cell(kind):
    cell, _ = made(kind)
    inputs = frames().flatten(2)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3, 0] = True
    outputs, _ = unroll(cell, inputs, lengths=torch.tensor([6, 2]), reset=reset)
    alone, _ = unroll(cell, inputs[3:, :1])
    torch.testing.assert_close(outputs[3:, :1], alone)
    assert not outputs[2:, 1].any()


@both
def test_layers_of_them_keep_their_image(kind):
    layers = Recurrent(made(kind, kernel_size=5)[0], num_layers=2)
    second = layers.layers[1][0]
    assert (second.channels, second.hidden_channels, second.kernel_size) == (K, K, 5)
    outputs, _ = layers(frames().flatten(2))
    outputs.sum().backward()
    assert all(p.grad is not None for p in layers.parameters())


@both
def test_copies_and_pickles_are_cells_of_the_same_numbers(kind):
    cell, _ = made(kind)
    expected = unroll(cell, frames().flatten(2))[0]
    for again in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(unroll(again, frames().flatten(2))[0], expected)


@both
def test_gradients_pass_gradcheck(kind):
    cell, _ = made(kind)

    def run(x):
        outputs, _ = unroll(cell, x)
        return outputs

    assert torch.autograd.gradcheck(run, (frames()[:2].flatten(2).requires_grad_(),))


@both
def test_weights_in_bfloat16_keep_a_float32_state(kind):
    cell, _ = made(kind)
    outputs, last = unroll(copy.deepcopy(cell).bfloat16(), frames().flatten(2).bfloat16())
    assert outputs.dtype == torch.bfloat16
    assert {leaf.dtype for leaf in (last if isinstance(last, tuple) else (last,))} == {torch.float32}
    torch.testing.assert_close(outputs.double(), unroll(cell, frames().flatten(2))[0], rtol=0.1, atol=0.1)


@both
def test_what_it_prints_builds_it_again(kind):
    text = repr(made(kind, kernel_size=5)[0])
    assert text.startswith(f"{kind.__name__}(40, 60, image_size=(4, 5), kernel_size=5")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": 41}, r"input_size: 41 was given\. It is a number of channels times 4 · 5 = 20\. 20 is one"),
        ({"hidden_size": 0}, r"hidden_size: 0 was given"),
        ({"kernel_size": 4}, r"kernel_size: 4 was given\. A kernel has a middle"),
        ({"kernel_size": -1}, r"kernel_size: -1 was given\. A kernel has a middle"),
        ({"image_size": (0, 5)}, r"image_size: \(0, 5\) was given\. It is \(height, width\), each at least 1"),
        ({"image_size": (4, 5, 6)}, r"image_size: \(4, 5, 6\) was given\. It is \(height, width\)"),
    ],
)
@pytest.mark.parametrize("name", ["conv-lstm", "conv-gru"])
def test_a_size_that_is_not_possible_is_an_error(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        CATALOGUE[name].build(**SIZES | settings)
