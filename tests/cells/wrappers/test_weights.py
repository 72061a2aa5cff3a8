"""Weights that chance changes once a call: DropConnect and weight noise, and which tensors they are for."""

import copy

import pytest
import torch
from wrapped import DOUBLE, ROWS, SIZE, STEPS, Joined, numbers, seeded

import ostinato
from ostinato import GRU, LSTM, ConfigError, DropConnect, WeightNoise, unroll

X = numbers(STEPS, ROWS, SIZE)


def with_weights(cell, **tensors):
    """Return a copy of a cell with other numbers in its parameters."""
    other = copy.deepcopy(cell)
    with torch.no_grad():
        for name, tensor in tensors.items():
            getattr(other, name).copy_(tensor)
    return other


def test_dropped_weights_are_the_same_for_all_steps_and_rows():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    kept = (torch.rand(4 * SIZE, SIZE, generator=seeded()) >= 0.4).double() / 0.6
    expected = unroll(with_weights(cell, weight_hh=cell.weight_hh * kept), X)
    torch.testing.assert_close(unroll(DropConnect(cell, 0.4, generator=seeded()), X), expected)


def test_a_dropped_weight_has_no_gradient_and_the_others_a_larger_one():
    cell = GRU(SIZE, SIZE, dtype=DOUBLE)
    unroll(DropConnect(cell, 0.4, generator=seeded()), X)[0].sum().backward()
    kept = torch.rand(3 * SIZE, SIZE, generator=seeded()) >= 0.4
    assert not cell.weight_hh.grad[~kept].any()
    assert cell.weight_hh.grad[kept].all()


def test_a_symbol_is_dropped_alone():
    cell = LSTM(SIZE, SIZE, dtype=DOUBLE)
    made, inputs = DropConnect(cell, 0.5, weights=("U_f", "b_i"), generator=seeded()).begin(X)
    weight, start = made.tensors["weight_hh"], cell.definition.symbols["U_f"][1]
    assert torch.equal(weight[:start], cell.weight_hh[:start])
    assert torch.equal(weight[start + SIZE :], cell.weight_hh[start + SIZE :])
    assert (weight[start : start + SIZE] == 0).any()
    assert (made.tensors["bias_ih"][:SIZE] == 0).any()
    assert made.tensors["weight_ih"] is cell.weight_ih
    assert inputs is X


@pytest.mark.parametrize(
    ("weights", "changed"),
    [
        ("recurrent", {"weight_hh"}),
        ("input", {"weight_ih"}),
        ("all", {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}),
        (("recurrent", "bias_ih"), {"weight_hh", "bias_ih"}),
    ],
)
def test_weights_are_named_by_kind_or_tensor(weights, changed):
    cell = GRU(SIZE, SIZE)
    made, _ = WeightNoise(cell, 0.1, weights=weights).begin(X.float())
    assert {name for name, tensor in made.tensors.items() if not torch.equal(tensor, getattr(cell, name))} == changed


def test_matrices_of_the_output_are_neither_recurrent_nor_of_the_input():
    cell = ostinato.cell("h' = tanh(W @ x + U @ h)\ny = V @ h'", SIZE, SIZE)
    assert set(DropConnect(cell, 0.5).chosen.rows) == {"weight_hh"}


def test_noise_has_the_deviation_asked_for():
    cell = GRU(100, 200)
    made, _ = WeightNoise(cell, 0.075, generator=seeded()).begin(torch.zeros(1, 1, 100))
    noise = torch.cat([(made.tensors[n] - t).flatten() for n, t in cell.named_parameters()])
    assert noise.std().item() == pytest.approx(0.075, rel=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=0.001)


def test_noise_is_on_the_weights_of_a_plain_cell():
    cell = Joined()
    source = seeded()
    weight = cell.product.weight + 0.2 * torch.randn(cell.product.weight.shape, generator=source)
    bias = cell.product.bias + 0.2 * torch.randn(cell.product.bias.shape, generator=source)
    other = Joined()
    other.product.load_state_dict({"weight": weight, "bias": bias})
    torch.testing.assert_close(unroll(WeightNoise(cell, 0.2, generator=seeded()), X), unroll(other, X))


def test_of_a_plain_cell_too_a_wrapper_changes_what_the_one_inside_has_drawn():
    cell = Joined()
    inner = ostinato.Zoneout(WeightNoise(cell, 0.2, generator=seeded(1)), 0.0)
    made = ostinato.Highway(DropConnect(inner, 0.5, weights="product.weight", generator=seeded(2)))
    source = seeded(1)
    weight = cell.product.weight + 0.2 * torch.randn(cell.product.weight.shape, generator=source)
    bias = cell.product.bias + 0.2 * torch.randn(cell.product.bias.shape, generator=source)
    weight = weight * (torch.rand(weight.shape, generator=seeded(2)) >= 0.5).double() / 0.5
    other = Joined()
    other.product.load_state_dict({"weight": weight, "bias": bias})
    expected = ostinato.Highway(other)
    expected.load_state_dict({k: v for k, v in made.state_dict().items() if "gate" in k}, strict=False)
    torch.testing.assert_close(unroll(made, X), unroll(expected, X))


def test_a_wrapper_inside_that_is_no_longer_training_leaves_its_weights_alone():
    made = DropConnect(WeightNoise(Joined(), 0.2), 0.5, weights="all", generator=seeded())
    made.inner.eval()
    first = unroll(made, X)[0]
    made.generator.manual_seed(3)
    assert torch.equal(unroll(made, X)[0], first)


def test_in_evaluation_the_weights_are_the_cell_s_own():
    cell = GRU(SIZE, SIZE)
    made, _ = DropConnect(cell, 0.5).eval().begin(X.float())
    assert made.tensors["weight_hh"] is cell.weight_hh
    assert made.definition is cell.definition


@pytest.mark.parametrize(
    ("cell", "weights", "message"),
    [
        (lambda: ostinato.cell("h' = u * h + W @ x", 3, 4), "recurrent",
         r"DropConnect weights: this cell has no recurrent weights\. Possible are u, W, weight_ih, input, all"),
        (lambda: GRU(3, 4), "U_q", r"'U_q' is no tensor of this cell\. Possible are W_r, .*weight_hh.*recurrent"),
        (lambda: GRU(3, 4), ("recurrent", "weight_h"), r"Did you mean 'weight_ih'\?"),
        (Joined, "recurrent", r"this cell has no recurrent weights\. Possible are product\.weight, product\.bias, all"),
        (Joined, "product", r"'product' is no tensor of this cell"),
    ],
)  # fmt: skip
def test_weights_that_are_not_there_are_refused(cell, weights, message):
    with pytest.raises(ConfigError, match=message):
        DropConnect(cell(), 0.5, weights=weights)


@pytest.mark.parametrize("deviation", [-0.1, float("inf"), float("nan"), "0.1", True])
def test_a_deviation_is_a_finite_number(deviation):
    with pytest.raises(ConfigError, match="A finite number, 0 or more"):
        WeightNoise(GRU(3, 4), deviation)


def test_a_share_is_below_one():
    with pytest.raises(ConfigError, match=r"DropConnect share: 1 was given"):
        DropConnect(GRU(3, 4), 1)
