"""A starting state that is learned, around any cell."""

import pytest
import torch
from tests.catalogue import EQUATION_CELLS
from torch import nn

from ostinato import CATALOGUE
from ostinato import unroll as unroll_plainly
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState


def wrapped(name: str, **values) -> LearnedInitialState:
    torch.manual_seed(0)
    cell = LearnedInitialState(CATALOGUE[name].build(3, 4, dtype=torch.float64, **values))
    with torch.no_grad():
        for leaf in cell.initial:
            leaf.normal_()
    return cell


def inputs_for(steps=5, batch=2):
    return torch.randn(steps, batch, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def unroll(cell, inputs, state=None, **options):
    """Return what `ostinato.unroll` gives, with the time between steps where a cell uses it."""
    times = {"dt": inputs[..., 0].abs() + 0.1} if cell.uses_dt else {}
    return unroll_plainly(cell, inputs, state, **times, **options)


UNREACHED = {"clockwork": ("t_2", "t_3", "t_4"), "hyper-lstm": ("c_hat", "h_hat")}
"""States that no gradient reaches: only compared with numbers, or, as a cell starts, multiplied by zeros alone."""
pytestmark = pytest.mark.usefixtures("without_compiler")

every_cell = pytest.mark.parametrize("name", EQUATION_CELLS)


@every_cell
def test_it_starts_at_zero(name):
    cell = LearnedInitialState(CATALOGUE[name].build(3, 4))
    torch.testing.assert_close(unroll(cell, torch.ones(3, 2, 3))[0], unroll(cell.inner, torch.ones(3, 2, 3))[0])


@every_cell
def test_it_has_one_parameter_for_each_state(name):
    cell = wrapped(name)
    assert [tuple(p.shape) for p in cell.initial] == [(n,) for n in cell.inner.definition.states.values()]


@every_cell
def test_it_is_the_inner_cell_from_that_state(name):
    cell = wrapped(name)
    start = cell.inner.definition.pack_state([leaf.expand(2, -1) for leaf in cell.initial])
    found, last = unroll(cell, inputs_for())
    expected, end = unroll(cell.inner, inputs_for(), start)
    torch.testing.assert_close(found, expected)
    assert type(last) is type(end)


@every_cell
def test_its_start_receives_a_gradient(name):
    cell = wrapped(name)
    unroll(cell, inputs_for())[0].sum().backward()
    reached = [
        n
        for n, p in zip(cell.inner.definition.states, cell.initial, strict=True)
        if p.grad is not None and p.grad.any()
    ]
    assert reached == [n for n in cell.inner.definition.states if n not in UNREACHED.get(name, ())]


@every_cell
def test_a_reset_returns_to_the_learned_start(name):
    cell = wrapped(name)
    reset = torch.zeros(5, 2, dtype=torch.bool)
    reset[3, 0] = True
    outputs, _ = unroll(cell, inputs_for(), reset=reset)
    again, _ = unroll(cell, inputs_for()[3:, :1])
    torch.testing.assert_close(outputs[3:, :1], again)


def test_a_state_that_is_given_goes_before_the_learned_one():
    cell = wrapped("gru")
    zeros = torch.zeros(2, 4, dtype=torch.float64)
    torch.testing.assert_close(unroll(cell, inputs_for(), zeros)[0], unroll(cell.inner, inputs_for())[0])


def test_it_wraps_a_cell_that_is_wrapped():
    cell = LearnedInitialState(wrapped("lstm"))
    assert all(leaf.is_leaf and isinstance(leaf, nn.Parameter) for leaf in cell.initial)
    torch.testing.assert_close(unroll(cell, inputs_for())[0], unroll(cell.inner, inputs_for())[0])


def test_it_takes_the_type_that_is_asked_for():
    assert wrapped("gru").initial_state(2, dtype=torch.float32).dtype == torch.float32


def test_it_keeps_the_sizes_and_the_time_of_the_inner_cell():
    cell = wrapped("projected-lstm")
    assert (cell.input_size, cell.hidden_size, cell.output_size, cell.uses_dt) == (3, 4, 2, False)


def test_its_state_dict_holds_the_start_beside_the_weights():
    assert set(wrapped("elman").state_dict()) == {
        "initial.0",
        "inner.weight_ih",
        "inner.weight_hh",
        "inner.bias_ih",
        "inner.bias_hh",
    }
