"""The eager engine: the truth, and the one that differentiates in every way torch can."""

import pytest
import torch
from recurrences import CELLS, D, H, assert_same, leaves, make, naive, numbers

from ostinato import LSTM, unroll
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState

STEPS, BATCH = 3, 2
LENGTHS = torch.tensor([2, 3])


def options_of(cell):
    return {"dt": numbers(STEPS, BATCH, seed=5).abs()} if cell.uses_dt else {}


def outputs_of(cell, engine="auto", **options):
    """Return inputs -> one number, with lengths, so that what is tested is the whole path."""
    return lambda x: unroll(cell, x, lengths=LENGTHS, engine=engine, **options_of(cell), **options)[0].pow(2).sum()


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_finite_differences(name):
    cell = make(name)
    inputs = numbers(STEPS, BATCH, D).requires_grad_()
    assert torch.autograd.gradcheck(outputs_of(cell, "eager"), [inputs])


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_gradients_are_those_of_finite_differences(name):
    cell = make(name)
    inputs = numbers(STEPS, BATCH, D).requires_grad_()
    assert torch.autograd.gradgradcheck(outputs_of(cell, "eager"), [inputs])


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_double_backward_of_the_engine_auto_takes_is_that_of_eager(name):
    def twice(engine):
        cell = make(name)
        inputs = numbers(STEPS, BATCH, D).requires_grad_()
        loss = outputs_of(cell, engine)(inputs)
        (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
        return torch.autograd.grad(gradient.pow(2).sum(), [inputs, *cell.parameters()], materialize_grads=True)

    assert_same(twice("auto"), twice("eager"))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_vmap_maps_the_loop(name, reverse):
    cell = make(name)
    several = numbers(4, STEPS, BATCH, D)
    options = {"reverse": reverse, "lengths": LENGTHS, **options_of(cell)}
    got = torch.func.vmap(lambda x: unroll(cell, x, **options)[0])(several)
    assert_same(got, torch.stack([unroll(cell, x, **options)[0] for x in several]))


@pytest.mark.parametrize("in_dim", [1, 2])
def test_vmap_maps_along_any_axis(in_dim):
    cell = make("lstm")
    several = numbers(4, STEPS, BATCH, D)
    got = torch.func.vmap(lambda x: unroll(cell, x)[0], in_dims=in_dim)(several.movedim(0, in_dim))
    assert_same(got, torch.stack([unroll(cell, x)[0] for x in several]))


def test_vmap_over_weights_runs_an_ensemble():
    cells = [LSTM(D, H, dtype=torch.float64) for _ in range(3)]
    weights, _ = torch.func.stack_module_state(cells)
    inputs = numbers(STEPS, BATCH, D)

    class Unrolled(torch.nn.Module):
        def __init__(self, cell):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            return unroll(self.cell, x)[0]

    network = Unrolled(cells[0])

    def call(weights):
        return torch.func.functional_call(network, {f"cell.{k}": v for k, v in weights.items()}, (inputs,))

    got = torch.func.vmap(call)(weights)
    assert_same(got, torch.stack([unroll(c, inputs)[0] for c in cells]))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its first jvp
@pytest.mark.parametrize("name", CELLS)
def test_a_jvp_is_the_vjp_turned_round(name):
    call = outputs_of(make(name))
    inputs, direction = numbers(STEPS, BATCH, D), numbers(STEPS, BATCH, D, seed=9)
    _, forward = torch.func.jvp(call, (inputs,), (direction,))
    assert_same(forward, (torch.func.grad(call)(inputs) * direction).sum())


def test_functional_gradients_are_those_of_backward():
    call = outputs_of(make("lstm"))
    inputs = numbers(STEPS, BATCH, D).requires_grad_()
    assert_same(torch.func.grad(call)(inputs.detach()), torch.autograd.grad(call(inputs), inputs)[0])


NARROW = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
EQUATIONS = [name for name in CELLS if not name.startswith("plain")]


@NARROW
@pytest.mark.parametrize("name", EQUATIONS)
def test_narrow_inputs_and_weights_keep_a_state_in_float32(name, dtype):
    cell = make(name, dtype)
    times = {k: v.to(dtype) for k, v in options_of(cell).items()}
    outputs, state, states = unroll(cell, numbers(STEPS, BATCH, D, dtype=dtype), return_states=True, **times)
    assert outputs.dtype == dtype
    assert {s.dtype for s in leaves((state, states))} == {torch.float32}


@NARROW
@pytest.mark.parametrize("name", EQUATIONS)
def test_narrow_numbers_are_near_those_of_double_precision(name, dtype):
    cell = make(name, dtype)
    times = {k: v.to(dtype) for k, v in options_of(cell).items()}
    inputs = numbers(STEPS, BATCH, D, dtype=dtype)
    outputs, _ = unroll(cell, inputs, **times)
    fine = {k: v.double() for k, v in times.items()}
    expected, _, _ = naive(make(name, dtype).double(), inputs.double(), **fine)
    torch.testing.assert_close(outputs.double(), expected, rtol=0.03, atol=0.03)


@NARROW
def test_narrow_inputs_run_beside_float32_weights(dtype):
    outputs, state = unroll(make("lstm", torch.float32), numbers(STEPS, BATCH, D, dtype=dtype), lengths=LENGTHS)
    assert (outputs.dtype, state.h.dtype, state.c.dtype) == (dtype, torch.float32, torch.float32)


@NARROW
def test_a_narrow_state_that_is_given_is_widened(dtype):
    start = (torch.zeros(BATCH, H, dtype=dtype), torch.zeros(BATCH, H, dtype=dtype))
    _, state = unroll(make("lstm", dtype), numbers(STEPS, BATCH, D, dtype=dtype), start)
    assert (state.h.dtype, state.c.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("engine", ["vendor", "eager"])
def test_a_float32_state_beside_float64_inputs_is_widened(engine):
    start = (torch.ones(BATCH, H), torch.ones(BATCH, H))
    wide = tuple(s.double() for s in start)
    cell, inputs = make("lstm"), numbers(STEPS, BATCH, D)
    assert_same(unroll(cell, inputs, start, engine=engine), unroll(cell, inputs, wide, engine=engine))


def test_a_small_addition_survives_in_a_carried_state():
    """A sum of 1000 steps of 0.001 would stop at 0.5 if each step were rounded to bfloat16."""
    from ostinato import cell

    adder = cell("h' = h + W @ x", 1, 1, initialisers=1.0, dtype=torch.bfloat16)
    _, state = unroll(adder, torch.full((1000, 1, 1), 0.001, dtype=torch.bfloat16))
    assert abs(state.item() - 1.0) < 0.01


def test_a_reset_to_a_learned_state_is_as_fine_as_the_start():
    cell = LearnedInitialState(LSTM(D, H))
    torch.nn.init.constant_(cell.initial[0], 0.1)  # is 0.1001 in bfloat16
    torch.nn.init.constant_(cell.initial[1], 0.1)
    inputs = numbers(1, BATCH, D, dtype=torch.bfloat16)
    assert_same(unroll(cell, inputs, reset=torch.ones(1, BATCH).bool()), unroll(cell, inputs), rtol=0, atol=0)


@pytest.mark.parametrize("name", CELLS)
def test_autocast_keeps_a_state_in_float32(name):
    cell = make(name, torch.float32)
    times = {k: v.float() for k, v in options_of(cell).items()}
    inputs = numbers(STEPS, BATCH, D, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = unroll(cell, inputs, lengths=LENGTHS, **times)
    assert {s.dtype for s in leaves((outputs, state))} == {torch.float32}
    outputs.sum().backward()
    plain, _ = unroll(cell, inputs, lengths=LENGTHS, **times)
    torch.testing.assert_close(outputs, plain, rtol=0.05, atol=0.05)


def test_autocast_computes_the_products_in_the_narrow_type():
    cell = make("lstm", torch.float32)
    inputs = numbers(STEPS, BATCH, D, dtype=torch.float32)
    plain, _ = unroll(cell, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = unroll(cell, inputs)
    assert not torch.equal(outputs, plain)
