"""How much of its input a state holds, against networks that hold a known number of inputs."""

import numpy as np
import pytest
import torch

import ostinato
from ostinato.diagnostics import memory_capacity


def seeded():
    return torch.Generator().manual_seed(3)


def delay_line(size):
    cell = ostinato.cell("h' = U @ h + W @ x", input_size=1, hidden_size=size).double()
    with torch.no_grad():
        cell.U.copy_(torch.eye(size).roll(1, 0).tril(-1))
        cell.W.copy_(torch.eye(size, 1))
    return cell


@pytest.mark.parametrize("size", [1, 20])
def test_a_delay_line_remembers_a_step_a_unit(size):
    found = memory_capacity(delay_line(size), generator=seeded())
    assert found.recalled.shape == (-(-5 * size // 4), 1)
    assert found.recalled[:size] == pytest.approx(np.ones((size, 1)), abs=1e-9)
    assert found.recalled[size:].max() < 0.01
    assert found.total == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "indrnn", "lru", "echo-state"])
def test_no_state_holds_more_than_it_has_numbers(cell):
    torch.manual_seed(0)
    found = memory_capacity(ostinato.Recurrent(cell, 1, 6), generator=seeded())
    assert 0.5 < found.total <= found.size
    assert found.size in (6, 12)  # h and c of an LSTM, two parts of complex numbers


def test_two_inputs_share_the_room():
    cell = ostinato.cell("h' = W @ x", input_size=2, hidden_size=2).double()
    found = memory_capacity(cell, generator=seeded())
    assert found.recalled[0] == pytest.approx(np.ones(2))
    assert found.recalled[1:].max() < 0.01


def test_states_of_all_layers_count():
    network = ostinato.Recurrent(delay_line(3), num_layers=1)
    twice = ostinato.Recurrent("h' = U @ h + W @ x", 1, 3, num_layers=2).double()
    assert memory_capacity(network).size == 3
    assert memory_capacity(twice).size == 6


def test_the_order_of_rows_and_steps_does_not_matter():
    torch.manual_seed(0)
    layer = ostinato.Recurrent("gru", 1, 4)
    other = ostinato.Recurrent("gru", 1, 4, batch_first=True)
    other.load_state_dict(layer.state_dict())
    same = [memory_capacity(each, generator=seeded()).recalled for each in (layer, other)]
    assert np.array_equal(*same)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delays": 0}, "delays=0"),
        ({"steps": 0}, "steps=0"),
        ({"steps": 1}, "state of 4 numbers"),
        ({"washout": 2}, "washout=2"),
        ({"scale": 0.0}, r"scale=0\.0"),
        ({"ridge": -1.0}, r"ridge=-1\.0"),
    ],
)
def test_numbers_that_cannot_be_are_said(settings, message):
    with pytest.raises(ostinato.ConfigError, match=message):
        memory_capacity(ostinato.Recurrent("gru", 1, 4), **settings)


def test_models_that_cannot_be_driven_are_said():
    with pytest.raises(ostinato.ConfigError, match="without recurrent layers"):
        memory_capacity(torch.nn.Linear(2, 2))
    with pytest.raises(ostinato.ConfigError, match="both directions"):
        memory_capacity(ostinato.Recurrent("gru", 1, 4, bidirectional=True))


def test_states_that_overflow_are_said():
    cell = delay_line(2)
    with torch.no_grad():
        cell.U.copy_(4 * torch.eye(2))
    with pytest.raises(ostinato.ConfigError, match="not finite"):
        memory_capacity(cell)
