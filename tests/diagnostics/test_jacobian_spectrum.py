"""Jacobians of steps, against those that are known and those that autograd gives of a step by hand."""

import numpy as np
import pytest
import torch

import ostinato
from ostinato.diagnostics.flow import gradient_flow
from ostinato.diagnostics.jacobians import WHOLE, jacobian, jacobian_spectrum
from ostinato.diagnostics.matrices import plain_growth, recurrent_matrices
from ostinato.diagnostics.visits import flat, like, visit, visited


def matrix(size, scale=1.0, seed=0):
    drawn = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn * scale / size**0.5


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def steps_of(model, inputs):
    (tap,) = visited("test", model, inputs)
    return tap.steps


def test_the_jacobian_of_a_linear_network_is_its_matrix(linear):
    w = matrix(6)
    for step in steps_of(linear(w), noise(3, 2, 6)):
        assert torch.equal(jacobian(visit(step)), w.expand(2, 6, 6))


def test_the_jacobian_of_a_tanh_network_is_the_matrix_with_its_rows_scaled(linear):
    w = matrix(5)
    for step in steps_of(linear(w, "h' = tanh(U @ h + W @ x)"), noise(4, 3, 5)):
        assert torch.allclose(jacobian(visit(step)), (1 - step.state[0].square())[:, :, None] * w, rtol=1e-12)


@pytest.mark.parametrize("cell", ["gru", "lstm", "lru", "unitary", "peephole-lstm", "conv-gru"])
def test_the_jacobian_is_that_of_a_step_taken_by_hand(cell):
    torch.manual_seed(0)
    info = ostinato.cells.catalogue.CATALOGUE[cell]
    made = info.build(4, 4)
    model = ostinato.Recurrent(made).double()
    inputs = noise(3, 2, 4)
    step = steps_of(model, inputs)[-1]
    start = flat(step.before)

    def after(row, vector):
        vectors = torch.stack([vector if k == row else start[k] for k in range(2)])
        return flat(made(inputs[-1], like(step.before, vectors))[1])[row]

    own = torch.stack([
        torch.autograd.functional.jacobian(lambda vector, row=row: after(row, vector), start[row]) for row in range(2)
    ])  # fmt: skip
    assert torch.allclose(jacobian(visit(step)), own, rtol=1e-9, atol=1e-12)


def test_singular_values_and_eigenvalues_are_those_of_the_matrix(linear):
    w = matrix(6)
    (found,) = jacobian_spectrum(linear(w), noise(20, 2, 6), steps=3)
    assert found.singular.shape == (6, 6)
    assert found.singular == pytest.approx(np.tile(np.linalg.svd(w.numpy())[1], (6, 1)))
    known = np.sort_complex(np.linalg.eigvals(w.numpy()))
    assert np.sort_complex(found.eigenvalues[0]) == pytest.approx(known)
    assert np.sort_complex(found.weights["U"]) == pytest.approx(known)


@pytest.mark.parametrize("equation", ["h' = U @ h + W @ x", "h' = tanh(U @ h + W @ x)", "h' = relu(W @ x + U @ h)"])
@pytest.mark.parametrize("scale", [0.4, 1.0, 1.8])
def test_the_bound_holds_and_that_of_the_weights_is_above_it(linear, equation, scale):
    model = linear(matrix(8, scale), equation)
    inputs = noise(30, 4, 8)
    (found,) = jacobian_spectrum(model, inputs, steps=None)
    (_, flow) = gradient_flow(model, inputs, bounded=4)
    assert flow.growth == pytest.approx(found.growth, rel=1e-9)
    assert (flow.ratios <= flow.bound * (1 + 1e-9)).all()
    assert (flow.bound <= found.growth ** np.arange(30.0)[:, None] * (1 + 1e-9)).all()
    assert found.growth <= found.growth_of_weights * (1 + 1e-9)
    assert found.growth_of_weights == pytest.approx(np.linalg.norm(matrix(8, scale).numpy(), 2))


def test_of_large_states_the_leading_values_are_found():
    torch.manual_seed(0)
    size = WHOLE + 8
    cell = ostinato.cell("h' = U @ h + W @ x", input_size=1, hidden_size=size).double()
    with torch.no_grad():
        orthogonal = torch.linalg.qr(noise(size, size))[0]
        cell.U.copy_(orthogonal * 0.7 ** torch.arange(size))
    (found,) = jacobian_spectrum(ostinato.Recurrent(cell), noise(4, 1, 1), steps=2)
    assert found.eigenvalues is None
    assert found.singular == pytest.approx(np.tile(0.7 ** np.arange(8.0), (2, 1)), rel=1e-3)


def test_recurrent_matrices_have_the_names_of_the_equations():
    lstm = ostinato.LSTM(3, 4)
    found = recurrent_matrices(lstm)
    assert list(found) == ["U_i", "U_f", "U_g", "U_o"]
    assert torch.equal(found["U_g"], lstm.U_g)
    assert list(recurrent_matrices(ostinato.Zoneout(ostinato.GRU(3, 4), 0.1).eval())) == ["U_r", "U_z", "U_n"]
    assert plain_growth(lstm) is None
    assert recurrent_matrices(ostinato.cells.catalogue.CATALOGUE["indrnn"].build(3, 4)) == {}
    assert recurrent_matrices(ostinato.cells.catalogue.CATALOGUE["conv-gru"].build(3, 4)) == {}


@pytest.mark.parametrize(
    "equation",
    ["h' = tanh(U @ h + W @ x) + h", "h' = sigmoid(U @ h + W @ x)", "h' = tanh(U @ (2 * h))", "h' = tanh(U @ h) * 2"],
)
def test_only_plain_networks_have_a_bound_from_their_weights(equation):
    assert plain_growth(ostinato.cell(equation, input_size=4, hidden_size=4)) is None


def test_rows_that_end_are_left_out_of_later_steps():
    torch.manual_seed(0)
    model = ostinato.Recurrent("gru", 3, 4)

    class Ragged(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = model

        def forward(self, inputs, state=None):
            return self.recurrent(inputs, state, lengths=torch.tensor([4, 9, 1]))

    (found,) = jacobian_spectrum(Ragged(), torch.randn(9, 3, 3), steps=None)
    assert len(found.singular) == 14


@pytest.mark.parametrize(("model", "message"), [(torch.nn.Identity(), "without recurrent layers"), (None, "steps=0")])
def test_what_cannot_be_measured_is_said(model, message):
    with pytest.raises(ostinato.ConfigError, match=message):
        jacobian_spectrum(model or ostinato.Recurrent("gru", 2, 2), torch.ones(3, 1, 2), steps=0 if not model else 1)


def test_states_that_are_not_finite_are_said(linear):
    with pytest.raises(ostinato.ConfigError, match="not finite"):
        jacobian_spectrum(linear(matrix(3), "h' = tanh(U @ h + W @ x)"), torch.full((3, 1, 3), torch.nan).double())
