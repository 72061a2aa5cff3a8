"""How parameters start: by name, by number, for a kind, a stored tensor or a symbol."""

import math
import pickle
from typing import ClassVar

import pytest
import torch
from torch import nn

from ostinato import GRU, LSTM, ConfigError, Elman, EquationCell, cell
from ostinato.cells.initialisers import INITIALISERS, SCHEMES, normal, within


def drawn(kind=LSTM, seed=0, sizes=(3, 4), **values) -> dict:
    torch.manual_seed(seed)
    return {n: p.detach() for n, p in kind(*sizes, **values).named_parameters()}


@pytest.mark.parametrize(
    ("kind", "layer"),
    [(LSTM, nn.LSTM(3, 4)), (GRU, nn.GRU(3, 4)), (Elman, nn.RNN(3, 4))],
    ids=["lstm", "gru", "elman"],
)
def test_the_same_seed_gives_torch_s_numbers(kind, layer):
    torch.manual_seed(7)
    layer.reset_parameters()
    found = drawn(kind, seed=7)
    assert {n: p.tolist() for n, p in found.items()} == {
        n.removesuffix("_l0"): p.tolist() for n, p in layer.named_parameters()
    }


def test_uniform_lies_within_one_over_the_root_of_the_hidden_size():
    found = drawn(sizes=(30, 64))
    bound = 1 / math.sqrt(64)
    assert max(p.abs().max() for p in found.values()) <= bound
    assert min(p.abs().max() for p in found.values()) > 0.9 * bound


def test_orthogonal_makes_each_gate_s_recurrent_matrix_a_rotation():
    cell = GRU(3, 8, initialisers="orthogonal", dtype=torch.float64)
    for matrix in (cell.U_r, cell.U_z, cell.U_n):
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(8, dtype=torch.float64))


def test_orthogonal_starts_inputs_by_glorot_and_biases_at_zero():
    cell = GRU(30, 50, initialisers="orthogonal")
    bound = math.sqrt(6 / (30 + 50))
    assert 0.9 * bound < cell.W_z.abs().max() <= bound
    assert not cell.bias_ih.any()
    assert not cell.bias_hh.any()


def test_identity_starts_with_the_identity():
    assert torch.equal(Elman(3, 4, initialisers="identity").weight_hh, torch.eye(4))


def test_zeros_starts_with_zeros():
    assert not any(p.any() for p in drawn(initialisers="zeros").values())


def test_a_number_fills_everything():
    assert all((p == 0.25).all() for p in drawn(initialisers=0.25).values())


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("input", {"weight_ih"}),
        ("recurrent", {"weight_hh"}),
        ("bias", {"bias_ih", "bias_hh"}),
        ("weight_hh", {"weight_hh"}),
        ("bias_ih", {"bias_ih"}),
    ],
)
def test_a_kind_or_a_stored_tensor_has_its_own(place, changed):
    found = drawn(initialisers={place: 9.0})
    assert {n for n, p in found.items() if (p == 9.0).all()} == changed
    assert {n for n, p in found.items() if (p == 9.0).any()} == changed


def test_a_symbol_has_its_own():
    cell = LSTM(3, 4, initialisers={"b_f": 1.0})
    assert (cell.b_f == 1.0).all()
    assert not (cell.b_i == 1.0).any()


def test_a_symbol_goes_before_its_tensor_and_a_tensor_before_its_kind():
    cell = LSTM(3, 4, initialisers={"bias": 1.0, "bias_ih": 2.0, "b_f": 3.0})
    assert (cell.bias_hh == 1.0).all()
    assert (cell.b_i == 2.0).all()
    assert (cell.b_f == 3.0).all()


def test_a_name_for_the_rest_stands_under_no_place():
    cell = LSTM(3, 4, initialisers={"": "zeros", "b_f": 1.0})
    assert (cell.b_f == 1.0).all()
    assert sum(p.sum() for p in cell.parameters()) == 4


def test_what_multiplies_the_state_number_by_number_is_of_another_kind():
    found = cell("h' = u * h + W @ x + b", 3, 4, initialisers={"other": 0.5})
    assert (found.u == 0.5).all()
    assert not (found.b == 0.5).any()


def test_a_vector_whose_name_begins_with_bias_but_multiplies_is_of_another_kind():
    found = cell("h' = bias_gain * h + W @ x", 3, 4, initialisers={"bias": 1.0, "other": 0.5})
    assert (found.bias_gain == 0.5).all()


def test_a_single_number_starts_as_told():
    text = "a : scalar\nh' = a * h + W @ x"
    assert cell(text, 3, 4, initialisers={"a": 0.5}).a.item() == 0.5
    assert abs(cell(text, 3, 4).a.item()) <= 0.5


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_fills_every_shape(name):
    text = "a : scalar\nc : 7\nc' = tanh(A @ x + B @ c + b)\nh' = u * h + C @ c' + a"
    found = cell(text, 3, 4, initialisers=name)
    assert all(p.isfinite().all() for p in found.parameters())


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_names_initialisers_that_exist(name):
    assert {value for value in SCHEMES[name].values() if isinstance(value, str)} <= set(INITIALISERS)


def test_forget_bias_opens_the_forget_gate_to_one():
    opened = LSTM(3, 4, initialisers="forget_bias")
    assert opened.b_f.tolist() == [1.0] * 4
    assert opened.d_f.tolist() == [0.0] * 4
    assert opened.b_i.abs().max() <= 0.5
    text = "f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = f * h + (1 - f) * tanh(W @ x)"
    minimal = cell(text, 3, 4, initialisers="forget_bias")
    assert minimal.b_f.tolist() == [1.0] * 4


def test_forget_bias_needs_a_gate_called_f():
    with pytest.raises(ConfigError, match=r"'forget_bias'\. This cell has no parameter b_f"):
        GRU(3, 4, initialisers="forget_bias")


def test_a_family_may_have_its_own_start():
    class Remembering(LSTM):
        """An LSTM whose forget gate starts open."""

        initialisers: ClassVar = {"b_f": 1.0}

    assert (Remembering(3, 4).b_f == 1.0).all()
    assert (Remembering(3, 4, initialisers={"b_f": 0.5}).b_f == 0.5).all()
    assert (Remembering(3, 4, initialisers="orthogonal").b_f == 1.0).all()
    assert Remembering(3, 4, bias=False).weight_ih.shape == Remembering(3, 4).weight_ih.shape


def test_a_normal_start_has_the_deviation_asked_for():
    found = drawn(sizes=(200, 100), initialisers={"input": normal(0.3)})["weight_ih"]
    assert found.std().item() == pytest.approx(0.3, rel=0.02)
    assert found.mean().item() == pytest.approx(0, abs=0.01)


def test_a_start_within_a_bound_fills_it():
    found = drawn(sizes=(200, 100), initialisers={"input": within(0.07)})["weight_ih"]
    assert 0.069 < found.max() <= 0.07
    assert -0.07 <= found.min() < -0.069


def test_a_start_with_a_number_of_its_own_can_be_pickled():
    cell = GRU(3, 4, initialisers={"input": normal(0.3), "bias": within(0.1)})
    assert pickle.loads(pickle.dumps(cell)).weight_ih.equal(cell.weight_ih)


def test_parameters_are_drawn_anew_as_they_were_told():
    found = GRU(3, 4, initialisers={"bias": 2.0})
    with torch.no_grad():
        found.bias_ih.zero_()
    found.reset_parameters()
    assert (found.bias_ih == 2.0).all()


def test_initialisation_leaves_parameters_learnable():
    assert all(p.requires_grad and p.is_leaf for p in GRU(3, 4, initialisers="orthogonal").parameters())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ortogonal", r"unknown initialiser 'ortogonal'\. Known are .* or a number\. Did you mean 'orthogonal'\?"),
        ({"bias": "zero"}, r"unknown initialiser 'zero'\. .*Did you mean 'zeros'\?"),
        ({"biass": 1.0}, r"'biass' is no parameter of this cell\. Possible are .*Did you mean 'bias'\?"),
        ({"U_q": 1.0}, r"'U_q' is no parameter of this cell\. Possible are input, recurrent, bias, other, weight_ih"),
        ({"bias": None}, r"None was given\. A name or a number is needed"),
        ({"bias": True}, r"True was given\. A name or a number is needed"),
        (None, r"None was given\. A name or a number is needed"),
        ([1.0], r"\[1.0\] was given\. A name or a number is needed"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        GRU(3, 4, initialisers=setting)


def test_a_cell_without_bias_has_no_bias_to_start():
    with pytest.raises(ConfigError, match="'bias_ih' is no parameter of this cell"):
        GRU(3, 4, bias=False, initialisers={"bias_ih": 1.0})


def test_a_cell_without_bias_may_be_given_a_start_for_biases():
    assert GRU(3, 4, bias=False, initialisers={"bias": 1.0}).weight_ih.shape == (12, 3)


def test_initialisers_is_a_word_of_the_class_and_of_the_call():
    assert EquationCell.initialisers == {}
