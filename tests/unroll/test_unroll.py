"""The contract of `unroll`, for every engine that can run: it is the loop it stands for, whatever the lengths."""

import pytest
import torch
from hypothesis import given, settings
from recurrences import (
    CELLS,
    D,
    H,
    PlainCell,
    Trial,
    assert_same,
    calls,
    engines_of,
    leaves,
    make,
    naive,
    numbers,
    random_state,
    runs,
)
from torch.utils import _pytree as pytree

from ostinato import unroll
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState

STEPS, BATCH = 6, 4
LENGTHS = torch.tensor([2, 0, 6, 4])

every_run = pytest.mark.parametrize(("name", "engine"), runs())
every_run_with_states = pytest.mark.parametrize(("name", "engine"), runs(return_states=True))
every_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
few_examples = settings(derandomize=True, deadline=None, max_examples=20, database=None)


def options_of(cell):
    return {"dt": numbers(STEPS, BATCH, seed=5).abs()} if cell.uses_dt else {}


@every_run
@given(call=calls())
@few_examples
def test_unrolling_is_the_loop_it_stands_for(name, engine, call):
    trial = Trial(make(name), call)
    got = unroll(trial.cell, trial.inputs, trial.state, engine=engine, **trial.options)
    expected = naive(trial.cell, trial.inputs, trial.state, **trial.options)[:2]
    assert_same(got, expected)
    assert_same(trial.gradients(got), trial.gradients(expected))


@every_run
@given(call=calls(resets=True))
@few_examples
def test_a_reset_starts_a_row_again_in_any_pattern_with_any_lengths(name, engine, call):
    trial = Trial(make(name), call)
    got = unroll(trial.cell, trial.inputs, trial.state, engine=engine, **trial.options)
    expected = naive(trial.cell, trial.inputs, trial.state, **trial.options)[:2]
    assert_same(got, expected)
    assert_same(trial.gradients(got), trial.gradients(expected))


@every_run_with_states
@given(call=calls())
@few_examples
def test_every_state_is_returned_on_demand(name, engine, call):
    trial = Trial(make(name), call)
    got = unroll(trial.cell, trial.inputs, trial.state, engine=engine, return_states=True, **trial.options)
    expected = naive(trial.cell, trial.inputs, trial.state, **trial.options)
    assert_same(got[:2], expected[:2])
    if call["steps"] and call["batch"]:
        assert_same(got[2], expected[2])
        assert_same(trial.gradients(got), trial.gradients(expected))
    else:
        assert [s.shape[:2] for s in leaves(got[2])] == [(call["steps"], call["batch"])] * len(leaves(got[2]))


@every_direction
@every_run
def test_outputs_beyond_a_length_are_exactly_zero(name, engine, reverse):
    cell = make(name)
    outputs, _ = unroll(
        cell, numbers(STEPS, BATCH, D), lengths=LENGTHS, reverse=reverse, engine=engine, **options_of(cell)
    )
    beyond = torch.arange(STEPS)[:, None] >= LENGTHS
    assert (outputs[beyond] == 0).all()
    assert (outputs[~beyond] != 0).any(-1).all()


@every_run
def test_a_row_of_length_zero_returns_the_state_it_was_given(name, engine):
    cell = make(name)
    state = random_state(cell, BATCH)
    _, last = unroll(cell, numbers(STEPS, BATCH, D), state, lengths=LENGTHS, engine=engine, **options_of(cell))
    assert_same(pytree.tree_map(lambda s: s[1], last), pytree.tree_map(lambda s: s[1], state), rtol=0, atol=0)


@every_run
def test_all_lengths_may_be_zero(name, engine):
    cell = make(name)
    state = random_state(cell, BATCH)
    outputs, last = unroll(
        cell, numbers(STEPS, BATCH, D), state, lengths=torch.zeros(BATCH).long(), engine=engine, **options_of(cell)
    )
    assert_same((outputs, last), (torch.zeros(STEPS, BATCH, cell.output_size).double(), state), rtol=0, atol=0)


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
@every_direction
@every_run
def test_what_stands_in_the_padding_reaches_neither_outputs_nor_gradients(name, engine, reverse, poison):
    cell = make(name)
    beyond = torch.arange(STEPS)[:, None] >= LENGTHS
    clean = numbers(STEPS, BATCH, D).requires_grad_()
    dirty = clean.detach().masked_fill(beyond[..., None], poison).requires_grad_()
    times = options_of(cell)
    spoiled = {k: v.masked_fill(beyond, poison) for k, v in times.items()}
    weights = list(cell.parameters())

    def run(inputs, options):
        outputs, last = unroll(cell, inputs, lengths=LENGTHS, reverse=reverse, engine=engine, **options)
        loss = outputs.pow(2).sum() + sum(s.pow(2).sum() for s in leaves(last))
        return outputs, last, torch.autograd.grad(loss, [inputs, *weights])

    if reverse and times:  # a row of length 0 has no first step, whose dt the last one takes
        spoiled["dt"][0, 1] = times["dt"][0, 1]
    assert_same(run(dirty, spoiled), run(clean, times))
    assert (run(dirty, spoiled)[2][0][beyond] == 0).all()


@every_run
def test_nan_in_one_row_never_reaches_another(name, engine):
    cell = make(name)
    inputs = numbers(STEPS, BATCH, D)
    spoiled = inputs.clone()
    spoiled[1, 2] = torch.nan
    others = [0, 1, 3]
    outputs, last = unroll(cell, inputs, engine=engine, **options_of(cell))
    got, state = unroll(cell, spoiled, engine=engine, **options_of(cell))
    assert_same(got[:, others], outputs[:, others])
    assert_same([s[others] for s in leaves(state)], [s[others] for s in leaves(last)])
    assert got[2:, 2].isnan().any()


@every_direction
@every_run
def test_a_reset_clears_nan_out_of_a_row(name, engine, reverse):
    cell = make(name)
    inputs = numbers(STEPS, 1, D)
    inputs[-1 if reverse else 0] = torch.nan
    reset = torch.zeros(STEPS, 1, dtype=torch.bool)
    reset[-2 if reverse else 1] = True
    times = {k: v[:, :1] for k, v in options_of(cell).items()}
    outputs, _ = unroll(cell, inputs, reset=reset, reverse=reverse, engine=engine, **times)
    assert outputs.flatten(1).isfinite().all(1).sum() == STEPS - 1


@pytest.mark.parametrize("cut", [0, 1, 3, STEPS])
@every_run
def test_unrolling_in_two_pieces_changes_nothing(name, engine, cut):
    cell = make(name)
    inputs, times = numbers(STEPS, BATCH, D), options_of(cell)
    outputs, last = unroll(cell, inputs, engine=engine, **times)
    first, state = unroll(cell, inputs[:cut], engine=engine, **{k: v[:cut] for k, v in times.items()})
    second, state = unroll(cell, inputs[cut:], state, engine=engine, **{k: v[cut:] for k, v in times.items()})
    assert_same((torch.cat([first, second]), state), (outputs, last))


@every_run
def test_permuting_the_rows_permutes_the_outputs(name, engine):
    cell = make(name)
    order = torch.tensor([2, 0, 3, 1])
    inputs, times = numbers(STEPS, BATCH, D), options_of(cell)
    outputs, last = unroll(cell, inputs, lengths=LENGTHS, engine=engine, **times)
    turned = {k: v[:, order] for k, v in times.items()}
    got = unroll(cell, inputs[:, order], lengths=LENGTHS[order], engine=engine, **turned)
    assert_same(got, (outputs[:, order], pytree.tree_map(lambda s: s[order], last)))


@every_run
def test_a_row_alone_is_the_row_in_company(name, engine):
    cell = make(name)
    inputs, times = numbers(STEPS, BATCH, D), options_of(cell)
    outputs, _ = unroll(cell, inputs, lengths=LENGTHS, reverse=True, engine=engine, **times)
    alone, _ = unroll(cell, inputs[:4, 3:], reverse=True, engine=engine, **{k: v[:4, 3:] for k, v in times.items()})
    assert_same(alone[:, 0], outputs[:4, 3])


@every_run
def test_inputs_need_not_be_contiguous(name, engine):
    cell = make(name)
    inputs, times = numbers(BATCH, STEPS, D), options_of(cell)
    got = unroll(cell, inputs.transpose(0, 1), lengths=LENGTHS, engine=engine, **times)
    assert_same(got, unroll(cell, inputs.transpose(0, 1).contiguous(), lengths=LENGTHS, engine=engine, **times))


@every_run
def test_one_row_may_stand_for_all_by_expansion(name, engine):
    cell = make(name)
    inputs, times = numbers(STEPS, 1, D).expand(STEPS, BATCH, D), options_of(cell)
    assert_same(unroll(cell, inputs, engine=engine, **times), unroll(cell, inputs.clone(), engine=engine, **times))


@pytest.mark.parametrize("name", CELLS)
def test_a_state_is_returned_as_the_cells_own_structure_whatever_carried_it(name):
    cell = make(name)
    state = random_state(cell, BATCH)
    plain = tuple(state) if isinstance(state, tuple) else state
    for engine in engines_of(name):
        options = {"lengths": LENGTHS, "engine": engine, **options_of(cell)}
        got = unroll(cell, numbers(STEPS, BATCH, D), plain, **options)
        assert_same(got, unroll(cell, numbers(STEPS, BATCH, D), state, **options))


@pytest.mark.parametrize("engine", engines_of("lstm"))
def test_no_steps_return_the_state_as_the_cells_own_structure(engine):
    cell = make("lstm")
    state = random_state(cell, BATCH)
    _, last = unroll(cell, numbers(0, BATCH, D), tuple(state), engine=engine)
    assert_same(last, state)


def test_work_is_proportional_to_the_sum_of_the_lengths():
    cell = PlainCell().double()
    unroll(cell, numbers(STEPS, BATCH, D), lengths=LENGTHS)
    assert cell.rows == LENGTHS.sum()


def test_work_in_reverse_is_proportional_to_the_sum_of_the_lengths():
    cell = PlainCell().double()
    unroll(cell, numbers(STEPS, BATCH, D), lengths=LENGTHS, reverse=True, reset=torch.ones(STEPS, BATCH).bool())
    assert cell.rows == LENGTHS.sum()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8], ids=str)
@every_direction
@pytest.mark.parametrize("name", ["lstm", "uses dt"])
def test_lengths_may_be_whole_numbers_of_any_width(name, reverse, dtype):
    cell = make(name)
    inputs, times = numbers(STEPS, BATCH, D), options_of(cell)
    got = unroll(cell, inputs, lengths=LENGTHS.to(dtype), reverse=reverse, **times)
    assert_same(got, unroll(cell, inputs, lengths=LENGTHS, reverse=reverse, **times))


def test_lengths_may_be_a_list():
    cell = make("lstm")
    inputs = numbers(STEPS, BATCH, D)
    assert_same(unroll(cell, inputs, lengths=LENGTHS.tolist()), unroll(cell, inputs, lengths=LENGTHS))


def test_a_learned_start_gets_its_gradient_from_every_reset():
    cell = LearnedInitialState(make("own text"))
    inputs = numbers(3, 2, D)
    reset = torch.tensor([[False, False], [False, True], [False, False]])
    outputs, _ = unroll(cell, inputs, random_state(cell, 2), reset=reset)
    (gradient,) = torch.autograd.grad(outputs.sum(), list(cell.initial))
    start = cell.initial[0].detach().requires_grad_()
    alone, _ = unroll(cell.inner, inputs[1:, 1:], start[None])
    assert_same(gradient, torch.autograd.grad(alone.sum(), start)[0])


def test_dt_in_reverse_is_the_time_to_the_step_that_came_before():
    clock = make("plain with dt")
    inputs = numbers(3, 2, D)
    dt = torch.tensor([[10.0, 20.0], [1.0, 2.0], [3.0, 4.0]]).double()
    got = unroll(clock, inputs, dt=dt, reverse=True, lengths=torch.tensor([3, 2]))
    row0, _ = unroll(clock, inputs[:, :1].flip(0), dt=torch.tensor([[10.0], [3.0], [1.0]]).double())
    row1, _ = unroll(clock, inputs[:2, 1:].flip(0), dt=torch.tensor([[20.0], [2.0]]).double())
    assert_same(got[0][:, 0], row0.flip(0)[:, 0])
    assert_same(got[0][:2, 1], row1.flip(0)[:, 0])


def test_dt_is_no_burden_to_a_cell_that_does_not_use_it():
    cell = make("lstm")
    inputs = numbers(STEPS, BATCH, D)
    assert_same(unroll(cell, inputs, dt=numbers(STEPS, BATCH)), unroll(cell, inputs))


def test_a_reset_that_is_nowhere_true_changes_nothing():
    cell = make("lstm")
    inputs = numbers(STEPS, BATCH, D)
    never = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    assert_same(unroll(cell, inputs, reset=never, engine="vendor"), unroll(cell, inputs, engine="vendor"))


def test_a_bound_cell_runs_as_the_cell_does():
    cell = make("lstm")
    inputs = numbers(STEPS, BATCH, D)
    assert_same(unroll(cell.bind(), inputs), unroll(cell, inputs))


def test_the_size_of_outputs_is_the_cells():
    outputs, _ = unroll(make("plain"), numbers(STEPS, BATCH, D))
    assert outputs.shape == (STEPS, BATCH, 5)
    assert H != 5
