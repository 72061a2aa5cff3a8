"""How parameters start: by name, by number, for a kind, a stored tensor or a symbol."""

import math
import pickle
from typing import ClassVar

import pytest
import torch
from torch import nn

from ostinato import GRU, LSTM, ConfigError, Elman, EquationCell, cell
from ostinato.cells.diagonal.lru import LRU
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


def test_orthogonal_is_drawn_for_narrow_numbers_too():
    matrix = GRU(3, 8, initialisers="orthogonal", dtype=torch.bfloat16).U_r.float()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(8), rtol=0, atol=0.02)


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


WRITTEN = {
    "between": "between(-1, 2)",
    "normal": "normal(0.1)",
    "rows_adding_to": "rows_adding_to(1)",
    "critical": "critical(1.5)",
}
"""How names are written that do not stand by themselves in every cell."""


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_fills_every_shape_it_can(name):
    square = name in ("spectral_radius", "unitary")
    text = f"a : scalar\nc : {4 if square else 7}\nc' = tanh(A @ x + B @ c + b)\nh' = u * h + C @ c' + a"
    if name == "rows_adding_to":
        text = "h' = tanh(A @ x + B @ h)"
    with torch.no_grad():
        found = cell(text, 3, 4, initialisers=WRITTEN.get(name, name))
    assert all(p.isfinite().all() for p in found.parameters())


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_says_what_it_does(name):
    assert INITIALISERS[name].__doc__


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_names_places_of_the_cell_and_initialisers_that_are_read(name):
    found = {"chrono": GRU, "ring": LRU}.get(name, LSTM)(3, 4)
    numbers = (100.0,) if name == "chrono" else ()
    settings = SCHEMES[name](found.definition, name, *numbers)
    assert settings
    assert type(found)(3, 4, initialisers={k: v if v != "critical" else 1.0 for k, v in settings.items()})


def test_forget_bias_opens_the_forget_gate_to_one():
    opened = LSTM(3, 4, initialisers="forget_bias")
    assert opened.b_f.tolist() == [1.0] * 4
    assert opened.d_f.tolist() == [0.0] * 4
    assert opened.b_i.abs().max() <= 0.5
    text = "f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = f * h + (1 - f) * tanh(W @ x)"
    minimal = cell(text, 3, 4, initialisers="forget_bias")
    assert minimal.b_f.tolist() == [1.0] * 4


def test_forget_bias_opens_the_gate_as_far_as_it_is_told():
    assert LSTM(3, 4, initialisers="forget_bias(5)").b_f.tolist() == [5.0] * 4


def test_what_a_call_names_for_gates_goes_before_what_the_family_starts_from():
    class Remembering(LSTM):
        """An LSTM whose forget gate starts half open."""

        initialisers: ClassVar = {"b_f": 0.0, "input": "normal(0.001)"}

    found = Remembering(3, 4, initialisers="forget_bias(2)")
    assert found.b_f.tolist() == [2.0] * 4
    assert found.W_i.abs().max() < 0.01


def test_bare_names_are_joined_by_a_plus():
    found = LSTM(3, 8, initialisers="orthogonal + forget_bias(3)")
    assert found.b_f.tolist() == [3.0] * 8
    torch.testing.assert_close(found.U_i @ found.U_i.T, torch.eye(8))
    assert not found.b_i.any()


# chrono


def test_chrono_keeps_states_for_times_up_to_the_longest():
    found = LSTM(3, 500, initialisers="chrono(100)")
    times = found.b_f.detach().exp()
    assert 1 <= times.min() < 1.5
    assert 98 < times.max() <= 99
    assert times.mean().item() == pytest.approx(50, rel=0.1)
    assert found.b_i.tolist() == (-found.b_f).tolist()
    assert not found.d_f.any()
    assert not found.d_i.any()
    assert found.b_o.any()


def test_chrono_takes_the_shortest_time_as_well():
    times = LSTM(3, 500, initialisers="chrono(20, 60)").b_f.detach().exp()
    assert 20 <= times.min() + 1e-4 < 22
    assert 57 < times.max() <= 59.0001


def test_chrono_opens_the_gate_that_keeps_and_closes_the_one_that_writes():
    kept = GRU(3, 50, initialisers="chrono(100)")  # h' = (1 - z) * n + z * h
    assert (kept.b_z >= 0).all()
    written = cell("f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = (1 - f) * h + f * tanh(W @ x)", 3, 50,
                   initialisers="chrono(100)")  # fmt: skip
    assert (written.b_f <= 0).all()
    assert written.b_f.any()


def test_chrono_leaves_other_gates_as_they_are():
    assert not GRU(3, 50, initialisers={"": "zeros + chrono(100)"}).b_r.any()


@pytest.mark.parametrize("text", ["chrono", "chrono()", "chrono(0, 9)", "chrono(5, 6)", "chrono(1, 2, 3)"])
def test_chrono_needs_times_that_are_possible(text):
    with pytest.raises(ConfigError, match=r"Its numbers are the shortest time, at least 1, and the longest"):
        LSTM(3, 4, initialisers=text)


@pytest.mark.parametrize(
    "text", ["h' = tanh(W @ x + U @ h + b)", "h' = h + sigmoid(W @ x + b) * tanh(U @ h)", "h' = sigmoid(W @ x) * h"]
)
def test_chrono_needs_a_gate_with_a_bias(text):
    with pytest.raises(ConfigError, match="no sigmoid with a bias that multiplies a state"):
        cell(text, 3, 4, initialisers="chrono(100)")


# matrices


@pytest.mark.parametrize(("text", "radius"), [("spectral_radius", 1.0), ("spectral_radius(0.9)", 0.9)])
def test_a_spectral_radius_is_the_largest_eigenvalue(text, radius):
    found = GRU(3, 20, initialisers=text, dtype=torch.float64)
    for matrix in (found.U_r, found.U_z, found.U_n):
        assert torch.linalg.eigvals(matrix).abs().max().item() == pytest.approx(radius, rel=1e-9)


def test_the_spectral_radius_of_a_vector_is_that_of_its_diagonal():
    found = cell("h' = tanh(u * h + W @ x)", 3, 20, initialisers={"u": "spectral_radius(0.5)"})
    assert found.u.abs().max().item() == pytest.approx(0.5)


@pytest.mark.parametrize("radius", ["0", "-1", "1e999", "nan"])
def test_a_spectral_radius_is_a_number_above_zero(radius):
    with pytest.raises(ConfigError, match=r"above 0|is no number"):
        Elman(3, 4, initialisers=f"spectral_radius({radius})")


@pytest.mark.parametrize("name", ["spectral_radius", "unitary"])
def test_only_square_matrices_have_eigenvalues(name):
    with pytest.raises(ConfigError, match=r"a matrix of 4 rows and 7 columns\. Only a square matrix has eigenvalues"):
        cell("c : 7\nc' = tanh(W @ x + A @ c)\nh' = tanh(B @ c)", 3, 4, initialisers={"B": name})


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_unitary_turns_pairs_of_units(size):
    matrix = Elman(3, size, initialisers="unitary", dtype=torch.float64).U.detach()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.eigvals(matrix).abs(), torch.ones(size, dtype=torch.float64))
    assert torch.linalg.matrix_norm(matrix - matrix.tril(1).triu(-1)) == 0


def test_unitary_draws_angles_all_around():
    angles = torch.linalg.eigvals(Elman(3, 2000, initialisers="unitary").U.detach()).angle()
    assert angles.abs().mean().item() == pytest.approx(math.pi / 2, rel=0.05)


@pytest.mark.parametrize(
    ("function", "gain"),
    [("tanh({})", 1), ("relu({})", 2**0.5), ("{}", 1), ("sin({})", 1), ("0.3 * h + 0.7 * tanh({})", 1)],
)
def test_critical_has_the_gain_of_the_function_that_products_enter(function, gain):
    text = f"h' = {function.format('W @ x + b + U @ h')}"
    weights = cell(text, 3, 400, initialisers="critical").U.detach()
    assert weights.std().item() * 20 == pytest.approx(gain, rel=0.02)


def test_critical_takes_a_gain_of_its_own():
    assert Elman(3, 400, initialisers="critical(1.5)").U.std().item() * 20 == pytest.approx(1.5, rel=0.02)


def test_a_critical_tanh_network_is_where_a_small_state_neither_grows_nor_fades():
    torch.manual_seed(0)
    radius = torch.linalg.eigvals(Elman(1, 1000, initialisers="critical").U.detach()).abs().max().item()
    assert radius == pytest.approx(1, rel=0.05)  # the circular law: gain times 1


def test_the_critical_gain_of_a_gate_is_not_known():
    with pytest.raises(
        ConfigError, match=r"'critical' for U_r, whose products enter sigmoid\. The edge of chaos is known"
    ):
        GRU(3, 4, initialisers="critical")
    assert LSTM(3, 4, initialisers={"U_g": "critical"}).U_g.any()


def test_orthogonal_and_identity_take_a_scale():
    assert torch.equal(Elman(3, 4, initialisers="identity(0.5)").U.detach(), 0.5 * torch.eye(4))
    scaled = Elman(3, 4, initialisers="orthogonal(2)", dtype=torch.float64).U.detach()
    torch.testing.assert_close(scaled @ scaled.T, 4 * torch.eye(4, dtype=torch.float64))


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
        ({"bias": "forget_bias"}, r"'forget_bias' for a part of a cell\. It says how a whole cell starts"),
        ("normal", r"normal with 0 numbers\. It is written normal\(deviation\)"),
        ("zeros(1)", r"zeros with 1 numbers\. It is written zeros, without numbers"),
        ("uniform(0.1, 0.2)", r"uniform with 2 numbers\. It is written uniform\(bound\)"),
        ("normal(a)", r"'normal\(a\)'\. 'a' is no number\. Write as in normal\(0\.01\)"),
        ("normal(inf)", r"'inf' is no number"),
        ("normal(0.1", r"unknown initialiser 'normal\(0\.1'\. .*Did you mean 'normal'\?"),
        ("normal(__import__('os'))", r"unknown initialiser 'normal\(__import__"),
        ("uniform(-1)", r"uniform\(-1\)\. It is a number above 0"),
        ("between(1, 0)", r"The second number is above the first"),
        ("orthogonal + ", r"unknown initialiser ''"),
        ({"bias": "zeros + normal(1)"}, r"unknown initialiser 'zeros \+ normal\(1\)'"),
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
