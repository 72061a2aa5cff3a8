"""How far gradients reach, against what is known of linear networks and against gradients taken by hand."""

import math

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import ostinato
from ostinato.data.lanes import Segment
from ostinato.data.tasks import TASKS
from ostinato.diagnostics.flow import Flow, at_ends, gradient_flow
from ostinato.models.language_model import LanguageModel
from ostinato.models.sequence_task import SequenceTaskModel


def matrix(radius, size=20, seed=0):
    drawn = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn * radius / torch.linalg.eigvals(drawn).abs().max()


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_rate_of_a_linear_network_is_the_spectral_radius(linear, radius, seed):
    whole, *_ = gradient_flow(linear(matrix(radius, seed=seed)), noise(300, 4, 20))
    assert math.log(whole.rate()) == pytest.approx(math.log(radius), rel=0.02)


def test_a_linear_network_above_one_explodes_and_its_horizon_lies_beyond_the_window(linear):
    whole, *_ = gradient_flow(linear(matrix(1.5)), noise(100, 4, 20))
    assert whole.horizon() is None
    assert whole.median[-1] > 1e10


def test_a_gradient_beyond_all_numbers_is_infinite_and_not_unknown():
    model = LanguageModel(5, "h' = U @ h + W @ x", hidden_size=20, num_layers=1)
    with torch.no_grad():
        model.recurrent.layers[0][0].U.copy_(matrix(1500.0))
        model.recurrent.layers[0][0].W.zero_()
    tokens = torch.randint(5, (100, 3))
    whole, *_ = gradient_flow(model, Segment(tokens[:-1], tokens[1:], None))
    assert whole.median[-1] == np.inf
    assert whole.horizon() is None
    assert not np.isnan(whole.norms).any()


def test_a_tanh_network_below_one_decays(linear):
    whole, *_ = gradient_flow(linear(matrix(0.9), "h' = tanh(U @ h + W @ x)"), noise(200, 4, 20))
    assert whole.rate() < 0.9
    assert whole.horizon() < 44  # where 0.9^k is 0.01


def test_an_orthogonal_network_keeps_the_norm(linear):
    q, _ = torch.linalg.qr(matrix(1.0))
    whole, *_ = gradient_flow(linear(q), noise(80, 3, 20))
    assert whole.ratios == pytest.approx(np.ones((80, 3)), rel=1e-9)


def test_an_lstm_that_forgets_nothing_keeps_the_norm_of_its_cell_exactly(last):
    equations = """
        i  = sigmoid(W_i @ x)
        o  = sigmoid(W_o @ x)
        c' = c + i * tanh(W_g @ x)
        h' = o * tanh(c')
    """
    cell = ostinato.cell(equations, input_size=5, hidden_size=7).double()
    whole, *_ = gradient_flow(last(ostinato.Recurrent(cell)), noise(60, 2, 5))
    assert whole.norms[1:] == pytest.approx(np.broadcast_to(whole.norms[1], (59, 2)), rel=1e-12)


def test_a_relu_network_of_the_identity_keeps_the_norm_on_positive_paths(linear):
    model = linear(torch.eye(6, dtype=torch.float64), "h' = relu(U @ h + W @ x)")
    with torch.no_grad():
        model.recurrent.layers[0][0].W.abs_()
    whole, *_ = gradient_flow(model, noise(50, 2, 6).abs())
    assert whole.ratios == pytest.approx(np.ones((50, 2)), rel=1e-12)


@pytest.mark.parametrize("rate", [0.7, 0.9, 0.97])
def test_of_a_gradient_that_fades_evenly_the_horizon_is_where_a_hundredth_is_left(rate):
    steps = math.ceil(math.log(0.01) / math.log(rate))
    assert Flow("", None, False, rate ** np.arange(4.0 * steps)[:, None]).horizon() == steps
    assert Flow("", None, False, rate ** np.arange(steps - 2.0)[:, None]).horizon() is None


def test_a_tanh_network_looks_back_less_far_than_a_gru_and_that_less_than_an_lstm_that_forgets_little():
    """On the adding problem, at equal size and as they begin."""
    task, found = TASKS["adding"](200), []
    for cell, settings in (("elman", {}), ("gru", {}), ("lstm", {"initialisers": "forget_bias(5)"})):
        torch.manual_seed(0)
        model = SequenceTaskModel(task, cell, hidden_size=64, **settings)
        whole, *_ = gradient_flow(model, task.draw(16))
        found.append(whole.horizon() or 201)
    assert found == sorted(set(found))


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "lru"])
def test_norms_are_those_of_gradients_taken_step_by_step(cell, last):
    torch.manual_seed(0)
    model = last(ostinato.Recurrent(cell, 3, 4)).double()
    inputs = noise(6, 2, 3)
    whole, layer = gradient_flow(model, inputs)
    step = model.recurrent.layers[0][0]
    for back in range(6):
        state = step.initial_state(2, dtype=torch.float64)
        for x in inputs[: 6 - back]:
            _, state = step(x, state)
        leaves = [leaf.detach().requires_grad_() for leaf in torch.utils._pytree.tree_leaves(state)]
        given = torch.utils._pytree.tree_unflatten(leaves, torch.utils._pytree.tree_structure(state))
        if back == 0:
            continue  # there the output is what the state is, or is made beside it
        for x in inputs[6 - back :]:
            output, given = step(x, given)
        grads = torch.autograd.grad(output.square().sum(), leaves, allow_unused=True, materialize_grads=True)
        square = sum(grad.abs().square().sum(1) for grad in grads)
        assert layer.norms[back] == pytest.approx(square.sqrt().numpy(), rel=1e-9)
        assert whole.norms[back] == pytest.approx(layer.norms[back])


def test_rows_are_measured_each_from_its_own_last_step():
    torch.manual_seed(0)
    model = ostinato.Recurrent("gru", 3, 4).double()

    class Ragged(torch.nn.Module):
        def __init__(self, lengths):
            super().__init__()
            self.recurrent, self.lengths = model, torch.tensor(lengths)

        def loss(self, inputs, state=None):
            outputs, state = self.recurrent(inputs, lengths=self.lengths)
            return outputs.square().sum(), 1, state

    inputs = noise(9, 5, 3)
    (together,) = (f for f in gradient_flow(Ragged([4, 9, 1, 8, 7]), inputs) if f.layer is None)
    assert np.isfinite(together.norms).sum(0).tolist() == [7, 7, 7, 4, 1]  # longest first, as far as half of them go
    for k, (row, length) in enumerate([(1, 9), (3, 8), (4, 7), (0, 4), (2, 1)]):
        alone = gradient_flow(Ragged([length]), inputs[:length, row : row + 1])[0]
        assert together.norms[:length, k] == pytest.approx(alone.norms[:7, 0])


def test_a_long_row_that_is_not_counted_leaves_no_steps_without_a_number():
    model = ostinato.Recurrent("gru", 3, 4).double()

    class Uneven(torch.nn.Module):
        """The first row ends early; the gradient of the second, which does not, is beyond all numbers."""

        def __init__(self):
            super().__init__()
            self.recurrent = model

        def loss(self, inputs, state=None):
            outputs, state = self.recurrent(inputs)
            return outputs[9, 0].sum() + math.inf * outputs[29, 1].sum(), 1, state

    flows = gradient_flow(Uneven(), noise(30, 2, 3))
    assert {flow.norms.shape for flow in flows} == {(10, 1)}
    assert flows[0].horizon() in {None, *range(11)}


def test_both_directions_and_all_layers_are_measured():
    torch.manual_seed(0)
    model = ostinato.Recurrent("gru", 3, 4, num_layers=2, bidirectional=True)

    class All(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = torch.nn.ModuleDict({"one": model})

        def loss(self, inputs, state=None):
            return model(inputs)[0].square().sum(), 1, None

    flows = gradient_flow(All(), noise(7, 2, 3).float())
    assert [(f.network, f.layer, f.backwards) for f in flows] == [
        ("inside.one", layer, backwards) for backwards in (False, True) for layer in (None, 0, 1)
    ]
    assert all(f.norms.shape == (7, 2) for f in flows)


def test_the_model_is_left_as_it_was_and_nothing_is_drawn():
    model = LanguageModel(9, "gru", hidden_size=5, dropout=0.5, embedding_dropout=0.5, zoneout=0.3)
    cells = [cell for layer in model.recurrent.layers for cell in layer]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tokens = torch.randint(9, (12, 3))
    before = torch.get_rng_state()
    gradient_flow(model, Segment(tokens[:-1], tokens[1:], None))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert [cell for layer in model.recurrent.layers for cell in layer] == cells
    assert model.recurrent.engine == "auto"
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_error_within_the_model_leaves_it_as_it_was():
    model = LanguageModel(9, "gru", hidden_size=5)
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever torch says of it)
        gradient_flow(model, Segment(torch.full((4, 2), 99), torch.zeros(4, 2, dtype=torch.int64), None))
    assert type(model.recurrent.layers[0][0]).__name__ == "GRU"
    assert model.training


def test_what_has_no_recurrence_is_refused():
    class Straight(torch.nn.Linear):
        def loss(self, inputs, state=None):
            return self(inputs).sum(), 1, None

    with pytest.raises(ostinato.ConfigError, match="without recurrent layers"):
        gradient_flow(Straight(2, 2), torch.ones(1, 2))


def test_a_loss_that_depends_on_no_step_is_refused(last):
    class Deaf(last):
        def loss(self, inputs, state=None):
            return self.recurrent(inputs)[0].sum() * 0, 1, None

    with pytest.raises(ostinato.ConfigError, match="no finite gradient of the loss reaches a step"):
        gradient_flow(Deaf(ostinato.Recurrent("gru", 3, 4)), torch.randn(5, 2, 3))


def test_a_horizon_is_where_the_sum_of_medians_is_nearly_whole():
    dips = Flow("", None, False, np.array([[1.0], [0.001], [0.5], [0.02], [0.002]]))
    assert dips.horizon() == 4
    assert dips.horizon(0.6) == 1
    assert Flow("", None, False, np.ones((5, 2))).horizon() is None
    lasts = Flow("", None, False, np.concatenate([[1.0], 0.005 * 0.99 ** np.arange(2000)])[:, None])
    assert 300 < lasts.horizon() < 500  # and not 1: half a hundredth lasts for hundreds of steps
    assert Flow("", None, False, lasts.norms[:100]).horizon() is None
    assert Flow("", None, False, np.full((1, 3), 0.3)).horizon() is None  # a single step says nothing
    assert Flow("", None, False, np.array([[0.0], [0.2], [1e-9]])).horizon() == 2
    assert math.isnan(Flow("", None, False, np.ones((2, 2))).rate())


@pytest.mark.parametrize("rate", [0.9999, 1.0, 1.003])
def test_what_is_left_of_a_gradient_that_fell_at_once_to_a_millionth_does_not_count_though_it_lasts(rate):
    assert Flow("", None, False, np.concatenate([[1.0, 0.1], 1e-6 * rate ** np.arange(200)])[:, None]).horizon() == 2


def test_gradients_on_a_device_are_cut_to_the_last_steps_there():
    ends = torch.tensor([1, 0])
    with FakeTensorMode(allow_non_fake_inputs=True):
        found = at_ends([torch.ones(2, 3, device="cuda"), torch.ones(1, 3, device="cuda")], ends)
    assert [credit.device.type for credit in found] == ["cuda", "cuda"]


def test_gradients_are_cut_to_the_last_step_of_each_row():
    first, second = at_ends([torch.ones(2, 2), torch.ones(1, 2)], torch.tensor([1, 0]))
    assert first.tolist() == [[0, 0], [1, 1]]
    assert second.tolist() == [[1, 1]]
