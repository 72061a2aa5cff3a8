"""The contract a cell that equations cannot say keeps."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from ostinato import Cell, ConfigError, unroll


class Stack(NamedTuple):
    """A state with a matrix for each row."""

    memory: Tensor
    top: Tensor


class StackMachine(Cell):
    """Pushes what it reads and answers with the mean of its memory: no equation says a shift."""

    def __init__(self, input_size=3, depth=4):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = input_size
        self.depth = depth
        self.read = nn.Linear(input_size, input_size)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        options = {"device": device, "dtype": dtype}
        return Stack(
            torch.zeros(batch_size, self.depth, self.input_size, **options),
            torch.zeros(batch_size, self.input_size, **options),
        )

    def step(self, x, state):
        top = torch.tanh(self.read(x))
        memory = torch.cat([top[:, None], state.memory[:, :-1]], 1)
        return memory.mean(1), Stack(memory, top)


class Clock(Cell):
    """Adds up the time."""

    input_size = hidden_size = output_size = 1
    uses_dt = True

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, 1, device=device, dtype=dtype)

    def step(self, x, state, dt):
        return state + dt[:, None], state + dt[:, None]


def inputs(steps=6, batch=3):
    return torch.randn(steps, batch, 3, generator=torch.Generator().manual_seed(0))


def test_a_cell_without_its_two_methods_says_which_to_define():
    class Nothing(Cell):
        input_size = hidden_size = output_size = 1

    with pytest.raises(TypeError, match="Nothing does not define initial_state"):
        Nothing().initial_state(2)
    with pytest.raises(TypeError, match="Nothing does not define step"):
        Nothing().step(torch.zeros(2, 1), None)


def test_calling_a_cell_takes_one_step_from_the_initial_state():
    cell = StackMachine()
    output, state = cell(inputs()[0])
    expected, _ = cell.step(inputs()[0], cell.initial_state(3))
    torch.testing.assert_close(output, expected)
    assert isinstance(state, Stack)


def test_unrolling_a_plain_cell_is_the_loop():
    cell = StackMachine()
    outputs, last = unroll(cell, inputs())
    state = cell.initial_state(3)
    for t, x in enumerate(inputs()):
        output, state = cell.step(x, state)
        torch.testing.assert_close(outputs[t], output)
    torch.testing.assert_close(last.memory, state.memory)
    assert type(last) is Stack


def test_a_plain_cell_takes_lengths_and_resets():
    cell = StackMachine()
    lengths = torch.tensor([6, 0, 3])
    reset = torch.zeros(6, 3, dtype=torch.bool)
    reset[2, 0] = True
    outputs, last = unroll(cell, inputs(), lengths=lengths, reset=reset)
    assert not outputs[:, 1].any()
    assert not last.memory[1].any()
    torch.testing.assert_close(outputs[2:, :1], unroll(cell, inputs()[2:, :1])[0])


def test_a_plain_cell_that_asks_for_the_time_gets_it():
    outputs, _ = unroll(Clock(), torch.zeros(3, 2, 1), dt=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert outputs[:, :, 0].tolist() == [[1, 2], [4, 6], [9, 12]]


def test_the_time_is_cut_where_rows_end():
    dt = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    _, last = unroll(Clock(), torch.zeros(3, 2, 1), dt=dt, lengths=torch.tensor([1, 3]))
    assert last[:, 0].tolist() == [1, 12]


def test_gradients_flow_through_a_plain_cell():
    cell = StackMachine()
    unroll(cell, inputs())[0].sum().backward()
    assert cell.read.weight.grad.any()


class Forgetful(Cell):
    """A cell whose writer forgot something."""

    def __init__(self, **sizes):
        super().__init__()
        self.__dict__.update(sizes)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, 2, device=device, dtype=dtype)

    def step(self, x, state):
        return x


def test_a_cell_without_its_sizes_says_which_is_missing():
    with pytest.raises(ConfigError, match=r"cell Forgetful: it has no output_size\. A cell sets its three sizes"):
        unroll(Forgetful(input_size=2, hidden_size=2), torch.zeros(1, 1, 2))


def test_a_step_that_gives_no_state_says_so():
    cell = Forgetful(input_size=2, hidden_size=2, output_size=2)
    with pytest.raises(ConfigError, match=r"step gave a Tensor. It gives \(output, state\)"):
        unroll(cell, torch.zeros(1, 1, 2))
