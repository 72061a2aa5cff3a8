"""A reservoir with a readout: fitted in closed form, whole or in pieces, run on its own output, its memory measured."""

import math

import pytest
import torch

from ostinato import ConfigError
from ostinato.models import reservoir
from ostinato.models.reservoir import LeastSquares, ReservoirModel, memory_capacity


def model(size=40, inputs=1, outputs=1, cell="echo-state", **values) -> ReservoirModel:
    torch.manual_seed(0)
    return ReservoirModel(inputs, size, outputs, cell, **values)


def sine(steps: int) -> torch.Tensor:
    return torch.sin(torch.arange(steps, dtype=torch.float64) / 6)[:, None, None]


def test_it_goes_on_with_a_sine_by_itself():
    network, series = model(leak=0.5), sine(900)
    network.fit(series[:599], series[1:600], washout=100, ridge=1e-12)
    found = network.generate(series[:600], 200)
    torch.testing.assert_close(found, series[600:800], rtol=0, atol=1e-3)


def test_reading_in_pieces_fits_the_same_readout(monkeypatch):
    whole, pieces, series = model(), model(), sine(400)
    whole.fit(series[:-1], series[1:], washout=50, ridge=1e-6)
    monkeypatch.setattr(reservoir, "NUMBERS_AT_ONCE", 42 * 30)
    pieces.fit(series[:-1], series[1:], washout=50, ridge=1e-6)
    torch.testing.assert_close(pieces.readout, whole.readout, rtol=1e-6, atol=1e-9)


def test_outputs_are_those_of_the_fit():
    network, series = model(), sine(300)
    errors = network.fit(series[:-1], series[1:], washout=100, ridge=1e-4)
    outputs, _ = network(series[:-1])
    mean = float((outputs[100:] - series[101:]).square().mean())
    assert errors[1e-4] == pytest.approx(mean, rel=1e-6)


def test_of_several_ridges_the_best_on_the_validation_is_kept():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(260, 1, 1, generator=generator, dtype=torch.float64)
    network = model(size=80)
    errors = network.fit(
        noise[:100], noise[1:101], washout=10, ridge=(0.0, 1.0), validation=(noise[100:250], noise[101:251])
    )
    assert errors[1.0] < errors[0.0]
    kept = network.readout.clone()
    network.fit(noise[:100], noise[1:101], washout=10, ridge=1.0)
    torch.testing.assert_close(kept, network.readout)


def test_columns_that_are_the_same_are_no_trouble():
    rows = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    squares = LeastSquares()
    squares.add(torch.cat([rows, rows], 1), rows.sum(1, keepdim=True))
    weights = squares.solve()
    torch.testing.assert_close(weights, torch.full((1, 6), 0.5, dtype=torch.float64))
    assert squares.error(weights) < 1e-20


def test_what_normal_equations_would_lose_is_found():
    # columns that differ in the ninth digit: X.T @ X holds nothing of the difference
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 200, 1, dtype=torch.float64, generator=generator)
    squares = LeastSquares()
    for rows in (slice(0, 120), slice(120, 200)):
        squares.add(torch.cat([first, first + 1e-9 * second], 1)[rows], second[rows])
    assert squares.error(squares.solve()) < 1e-10


def test_an_orthogonal_linear_reservoir_remembers_nearly_a_step_a_unit_and_no_more():
    network = model(
        50, outputs=70, cell="echo-state-linear", bias=False, initialisers="orthogonal", spectral_radius=0.9
    )
    read = memory_capacity(network, 2000, washout=500, generator=torch.Generator().manual_seed(1))
    assert 0.8 * 50 < float(read.sum()) <= 50


def test_a_reservoir_that_fades_fast_remembers_little():
    network = model(50, outputs=70, cell="echo-state-linear", bias=False, spectral_radius=0.1)
    read = memory_capacity(network, 2000, washout=500, generator=torch.Generator().manual_seed(1))
    assert float(read.sum()) < 0.3 * 50


def test_what_does_not_fit_is_refused():
    series = sine(20)
    with pytest.raises(ConfigError, match="the washout ends before they do"):
        model().fit(series, series, washout=20)
    with pytest.raises(ConfigError, match="0 or more"):
        model().fit(series, series, ridge=-1.0)
    with pytest.raises(ConfigError, match="as large as the input"):
        model(outputs=2).generate(series, 3)
    with pytest.raises(ConfigError, match="as long as the longest delay"):
        memory_capacity(model(outputs=30), 100, washout=10)


def test_the_state_carries_on():
    network, series = model(), sine(60)
    network.fit(series[:-1], series[1:])
    whole, _ = network(series)
    first, state = network(series[:25])
    second, _ = network(series[25:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    assert math.isfinite(float(whole.sum()))
