"""Trajectories and resting points, against systems whose own are known."""

import math

import numpy as np
import pytest
import torch

import ostinato
from ostinato.diagnostics.motion import fixed_points, trajectories
from ostinato.diagnostics.visits import visited


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def bistable(equation="h' = tanh(2 * h + W @ x)"):
    cell = ostinato.cell(equation, input_size=1, hidden_size=1).double()
    with torch.no_grad():
        cell.W.fill_(1.0)
    return ostinato.Recurrent(cell)


def test_a_bistable_unit_rests_at_two_stable_points_and_one_between():
    found = sorted(fixed_points(bistable(), 2 * noise(30, 4, 1), held="zero"), key=lambda point: point.state[0])
    rest = 0.957504024079953  # h = tanh(2 h)
    assert [point.state[0] for point in found] == pytest.approx([-rest, 0.0, rest], abs=1e-9)
    assert [point.is_stable for point in found] == [True, False, True]
    assert all(point.is_fixed for point in found)
    slopes = [2 * (1 - rest**2), 2.0, 2 * (1 - rest**2)]
    assert [point.eigenvalues[0].real for point in found] == pytest.approx(slopes, abs=1e-8)
    assert sum(point.starts for point in found) == 32


def test_the_input_is_held_at_its_mean():
    inputs = 0.1 * noise(30, 4, 1) + 3.0
    (point,) = fixed_points(bistable(), inputs)
    assert point.state[0] == pytest.approx(math.tanh(2 * point.state[0] + float(inputs.mean())))


def test_a_linear_network_has_the_one_that_is_solved_for(linear):
    w = noise(6, 6) * 0.3
    model = linear(w)
    inputs = noise(20, 3, 6)
    (point,) = fixed_points(model, inputs)
    given = model.recurrent.layers[0][0].W.detach() @ inputs.flatten(0, 1).mean(0)
    assert point.state == pytest.approx(torch.linalg.solve(torch.eye(6) - w, given).numpy())
    assert np.sort_complex(point.eigenvalues) == pytest.approx(np.sort_complex(np.linalg.eigvals(w.numpy())))


def test_where_nothing_rests_the_slowest_place_is_found():
    """h' = h + h² + e moves by e at least, at h = 0; data move it by far more."""
    model = bistable("h' = h + h * h + 0.0001 + W @ x")
    inputs = 0.1 * torch.tensor([1.0, -1.0]).double().repeat(10)[:, None, None]
    (point,) = fixed_points(model, inputs, held="zero")
    assert point.state[0] == pytest.approx(0.0, abs=1e-3)
    assert point.speed == pytest.approx(1e-4, rel=1e-3)
    assert not point.is_fixed


@pytest.mark.parametrize("cell", ["gru", "lstm", "lru", "conv-gru"])
def test_points_of_any_cell_stay_where_they_are(cell):
    torch.manual_seed(0)
    made = ostinato.cells.catalogue.CATALOGUE[cell].build(4, 4)
    model = ostinato.Recurrent(made)
    found = fixed_points(model, torch.randn(20, 2, 4), starts=8)
    assert found
    assert all(point.speed < 1e-5 for point in found if point.is_fixed)


class Pair(torch.nn.Module):
    """Two networks, the second of which reads step by step."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = ostinato.Recurrent("gru", 2, 3, num_layers=2, bidirectional=True).double()
        self.second = ostinato.Recurrent("h' = tanh(0.5 * h + W @ x)", 2, 1).double()

    def forward(self, inputs):
        state = None
        for x in inputs:
            _, state = self.second(x[None], state)
        return self.first(inputs)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("layer", [0, 1])
def test_points_are_those_of_the_network_layer_and_direction_that_are_asked_for(layer, backwards):
    model, inputs = Pair(), noise(30, 2, 2)
    tap = next(t for t in visited("test", model, inputs) if (t.layer, t.backwards) == (layer, backwards))
    held = tap.passes[0].inputs.mean(0)
    (point,) = fixed_points(model, inputs, network="first", layer=layer, backwards=backwards)
    cell = model.first.layers[layer][int(backwards)]
    state = torch.from_numpy(point.state)[None]
    assert cell(held[None], state)[1].detach() == pytest.approx(state, abs=1e-5)


def test_of_a_network_that_reads_step_by_step_the_mean_is_that_of_all_steps():
    model, inputs = Pair(), 0.1 * noise(30, 2, 2) + 1.0
    (point,) = fixed_points(model, inputs, network="second")
    given = float(model.second.layers[0][0].W.detach() @ inputs.flatten(0, 1).mean(0))
    assert point.state[0] == pytest.approx(math.tanh(0.5 * point.state[0] + given), abs=1e-5)


def test_all_states_are_seen_in_the_two_directions_they_differ_in(linear):
    flat = torch.zeros(5, 5, dtype=torch.float64)
    model = linear(flat)
    with torch.no_grad():
        model.recurrent.layers[0][0].W.copy_(torch.tensor([3.0, 1.0, 0, 0, 0]).diag())
    inputs = noise(30, 4, 5)
    (motion,) = trajectories(model, inputs)
    assert motion.states.shape == (30, 4, 5)
    assert motion.explained.sum() == pytest.approx(1.0)
    back = motion.seen(motion.states) @ motion.directions + motion.mean
    assert back == pytest.approx(motion.states)


@pytest.mark.parametrize(
    ("size", "inputs"), [(1, torch.randn(9, 2, 2)), (3, torch.zeros(9, 2, 2)), (3, torch.ones(1, 1, 2))]
)
def test_one_unit_one_step_and_states_that_stay_can_be_seen(size, inputs):
    (motion,) = trajectories(ostinato.Recurrent(ostinato.cell("h' = tanh(W @ x)", 2, size)), inputs)
    assert np.isfinite(motion.seen(motion.states)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"held": "max"}, "held='max'"),
        ({"starts": 0}, "starts=0"),
        ({"layer": 3}, "layer=3"),
        ({"network": "decoder"}, "network='decoder'"),
        ({"backwards": True}, "reads forwards alone"),
        ({}, "300 numbers"),
    ],
)
def test_what_cannot_be_searched_is_said(settings, message):
    model = ostinato.Recurrent("gru", 2, 300)
    with pytest.raises(ostinato.ConfigError, match=message):
        fixed_points(model, torch.ones(3, 1, 2), **settings)


@pytest.mark.parametrize("measure", [trajectories, fixed_points])
def test_states_that_are_not_finite_are_said(measure):
    with pytest.raises(ostinato.ConfigError, match="no state of layer 1 is finite"):
        measure(bistable(), torch.full((4, 1, 1), torch.nan).double())


def test_states_that_grow_beyond_all_numbers_are_left_out(linear):
    model = linear(3 * torch.eye(2)).float()
    inputs = torch.randn(120, 2, 2, generator=torch.Generator().manual_seed(0))
    (motion,) = ostinato.diagnostics.trajectories(model, inputs)
    kept = np.isfinite(motion.states).all((1, 2))
    assert kept[:70].all()
    assert not kept[90:].any()  # 3^81 is beyond float32
    assert np.isfinite(motion.directions).all()
    assert ostinato.diagnostics.fixed_points(model, inputs)
    assert np.isfinite(motion.seen(motion.states)[kept]).all()
