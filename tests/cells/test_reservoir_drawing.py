"""How a reservoir is drawn, what it refuses, and when it forgets where it started."""

import pytest
import torch

from ostinato import CATALOGUE, ConfigError, unroll
from ostinato.cells.reservoir.drawing import draw_connections, spectral_radius


def reservoir(name="echo-state", size=60, **values):
    torch.manual_seed(0)
    return CATALOGUE[name].build(1, size, dtype=torch.float64, **values)


def gap_after(steps: int, **values) -> float:
    """Return how far two runs lie apart that differ in their first state."""
    cell = reservoir(**values)
    inputs = 0.1 * torch.randn(steps, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start = torch.randn(1, 60, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return float((unroll(cell, inputs)[1] - unroll(cell, inputs, start)[1]).norm())


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.99])
def test_connections_have_the_sparsity_asked_for_and_a_spectral_radius_of_one(sparsity):
    weights = torch.empty(100, 100, dtype=torch.float64)
    draw_connections(weights, sparsity=sparsity, generator=torch.Generator().manual_seed(0))
    assert set((weights != 0).sum(1).tolist()) == {round(100 * (1 - sparsity))}
    assert spectral_radius(weights) == pytest.approx(1.0, rel=1e-9)


def test_the_sparsest_matrix_still_has_a_cycle():
    weights = torch.empty(5, 5, dtype=torch.float64)
    draw_connections(weights, sparsity=0.99, generator=torch.Generator().manual_seed(0))
    assert spectral_radius(weights) == pytest.approx(1.0, rel=1e-9)


def test_the_same_generator_draws_the_same_reservoir():
    first, second = torch.empty(2, 8, 8)
    draw_connections(first, generator=torch.Generator().manual_seed(3))
    draw_connections(second, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, second)


def test_nothing_of_a_reservoir_is_trained():
    cell = reservoir()
    assert list(cell.parameters()) == []
    assert {name for name, _ in cell.named_buffers()} == {"weight_ih", "weight_hh", "bias_ih"}


def test_a_bare_name_draws_the_recurrent_matrix():
    W = reservoir(initialisers="orthogonal").W
    torch.testing.assert_close(W @ W.T, torch.eye(60, dtype=torch.float64))


def test_another_size_keeps_the_sparsity():
    W = reservoir(sparsity=0.9).resized(2, 50).W
    assert set((W != 0).sum(1).tolist()) == {5}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spectral_radius": 0.0}, "above 0"),
        ({"leak": 0.0}, "above 0"),
        ({"leak": 1.5}, "at most 1"),
        ({"sparsity": 1.0}, "from 0 up to, not including, 1"),
        ({"sparsity": -0.1}, "from 0 up to, not including, 1"),
        ({"input_scale": -1.0}, "above 0"),
    ],
)
def test_a_number_that_is_not_possible_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        reservoir(**values)


def test_below_a_spectral_radius_of_one_the_first_state_is_forgotten():
    assert gap_after(300, spectral_radius=0.8) < 1e-12


def test_far_above_one_it_is_not():
    assert gap_after(300, spectral_radius=3.0) > 1.0
