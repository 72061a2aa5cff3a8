"""One suite over every cell of the catalogue: what its equations say is what it does."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.catalogue import EQUATION_CELLS
from torch import Tensor
from torch.utils import _pytree as pytree

import ostinato.cells
from ostinato import CATALOGUE, EngineError, EquationCell, plan, unroll
from ostinato.cells.bound_equations import BoundEquations
from ostinato.equations import oracle
from ostinato.unroll.plan import ENGINES

D, H, B, T = 3, 5, 7, 13
DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: (1e-4, 1e-5), torch.float64: (1e-10, 1e-12)}
"""How far two engines may differ, relative and absolute: they add in another order."""

WEIGHTS = {"clockwork": 0.3}
"""How large weights are, 0.6 elsewhere: a unit that hears four modules is chaotic then, and rounding errors grow."""

pytestmark = pytest.mark.usefixtures("without_compiler")  # compiled loops: tests/unroll/native/test_agreement.py

every_cell = pytest.mark.parametrize("name", EQUATION_CELLS)


def built(name: str, dtype=torch.float64, input_size=D, hidden_size=H, seed=0, **values) -> EquationCell:
    """Return a cell whose parameters are large enough to matter."""
    with torch.random.fork_rng(devices=[]):  # frozen weights stay as they are drawn: some are no random numbers
        torch.manual_seed(seed)
        cell = CATALOGUE[name].build(input_size, hidden_size, dtype=dtype, **values)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in cell.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=dtype)
            parameter.copy_(drawn * WEIGHTS.get(name, 0.6))
    return cell


def inputs_for(cell: EquationCell, steps=T, batch=B, dtype=torch.float64, seed=1) -> Tensor:
    return torch.randn(
        steps, batch, cell.input_size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).to(dtype)


def times_of(cell, inputs: Tensor) -> dict[str, Tensor]:
    """Return the time between steps where a cell uses it: it follows from the inputs, and is cut as they are."""
    return {"dt": inputs.detach()[..., 0].nan_to_num().abs() + 0.1} if cell.uses_dt else {}


def over(cell, inputs: Tensor, state=None, **options):
    """Return what `unroll` gives."""
    return unroll(cell, inputs, state, **times_of(cell, inputs), **options)


def state_for(cell: EquationCell, batch=B, dtype=torch.float64, seed=2):
    """Return a state that is not zero."""
    generator = torch.Generator().manual_seed(seed)
    sizes = cell.definition.states.values()
    return cell.definition.pack_state(
        [torch.randn(batch, n, generator=generator, dtype=torch.float64).to(dtype) * 0.5 for n in sizes]
    )


def leaves(cell: EquationCell, state) -> list[Tensor]:
    return list(cell.definition.state_values(state))


def gradients(cell: EquationCell, outputs: Tensor, state, inputs: Tensor, *start: Tensor) -> dict[str, Tensor]:
    """Return the gradients of a number that depends on all outputs and the last state."""
    wanted = {"x": inputs, **dict(cell.named_parameters()), **{f"state {k}": s for k, s in enumerate(start)}}
    loss = (outputs * outputs.detach().cos()).sum() + sum((leaf**2).sum() for leaf in leaves(cell, state))
    found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(wanted, found, strict=True))


def values_of(cell: EquationCell) -> dict[str, np.ndarray]:
    symbols = {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}
    return symbols | {k: np.float64(v) for k, v in cell.constants.items()}


# the catalogue


def test_no_cell_is_missing_from_the_catalogue():
    found = set()
    for module in pkgutil.walk_packages(ostinato.cells.__path__, "ostinato.cells."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, EquationCell) and kind.__module__ == module.name:
                found.add(kind)
    assert found - {EquationCell} == {CATALOGUE[name].kind for name in EQUATION_CELLS}


@every_cell
def test_a_cell_fits_a_screen(name):
    path = inspect.getsourcefile(CATALOGUE[name].kind)
    cells = [info for info in CATALOGUE.values() if inspect.getsourcefile(info.kind) == path]
    assert len(Path(path).read_text().splitlines()) <= 45 * len(cells)


@every_cell
def test_a_cell_says_in_one_line_what_it_is_and_where_it_comes_from(name):
    info = CATALOGUE[name]
    assert info.name == name
    assert info.summary
    assert any(character.isdigit() for character in info.reference)
    assert info.equations.strip()


@every_cell
def test_a_cell_is_built_without_naming_its_other_sizes(name):
    cell = CATALOGUE[name].build(D, H)
    assert (cell.input_size, cell.hidden_size) == (D, H)


# the step


@every_cell
def test_a_step_is_the_oracle_s(name):
    cell = built(name)
    x, state = inputs_for(cell)[0], state_for(cell)
    output, after = cell.step(x, state, **times_of(cell, x))
    given = {n: s.numpy() for n, s in zip(cell.definition.states, leaves(cell, state), strict=True)}
    times = {name: value[:, None].numpy() for name, value in times_of(cell, x).items()}
    expected = oracle.evaluate(cell.program, {**values_of(cell), **given, "x": x.numpy(), **times})
    np.testing.assert_allclose(output.detach(), expected["y"], rtol=1e-12, atol=1e-14)
    for n, leaf in zip(cell.definition.states, leaves(cell, after), strict=True):
        np.testing.assert_allclose(leaf.detach(), expected[f"{n}'"], rtol=1e-12, atol=1e-14)


@every_cell
def test_a_step_has_the_shapes_the_cell_states(name):
    cell = built(name)
    x = inputs_for(cell)[0]
    output, after = cell.step(x, cell.initial_state(B), **times_of(cell, x))
    assert output.shape == (B, cell.output_size)
    assert [tuple(s.shape) for s in leaves(cell, after)] == [(B, n) for n in cell.definition.states.values()]


@every_cell
def test_calling_a_cell_without_a_state_starts_at_zero(name):
    cell = built(name)
    x = inputs_for(cell)[0]
    zeros = cell.definition.pack_state([torch.zeros(B, n, dtype=x.dtype) for n in cell.definition.states.values()])
    times = times_of(cell, x).values()
    torch.testing.assert_close(cell(x, None, *times)[0], cell.step(x, zeros, *times)[0], rtol=0, atol=0)


@every_cell
def test_unrolling_is_the_oracle_s_run(name):
    cell = built(name)
    inputs, state = inputs_for(cell), state_for(cell)
    given = {n: s.numpy() for n, s in zip(cell.definition.states, leaves(cell, state), strict=True)}
    times = {name: value.numpy() for name, value in times_of(cell, inputs).items()}
    expected, last, _ = oracle.run(cell.program, values_of(cell), inputs.numpy(), given, **times)
    outputs, after = over(cell, inputs, state)
    np.testing.assert_allclose(outputs.detach(), expected, rtol=1e-9, atol=1e-12)
    for n, leaf in zip(cell.definition.states, leaves(cell, after), strict=True):
        np.testing.assert_allclose(leaf.detach(), last[n], rtol=1e-9, atol=1e-12)


@every_cell
def test_the_gradient_of_a_short_unroll_passes_gradcheck(name):
    cell = built(name, hidden_size=4)
    names = [stack.name for stack in cell.definition.stacks]
    tensors = [getattr(cell, n).detach().clone().requires_grad_() for n in names]
    states = [s.requires_grad_() for s in leaves(cell, state_for(cell, batch=2))]
    inputs = inputs_for(cell, 2, 2)
    times = times_of(cell, inputs)

    def run(inputs, *rest):
        bound = BoundEquations(cell.definition, dict(zip(names, rest, strict=False)), cell.constants)
        start = cell.definition.pack_state(rest[len(names) :])
        outputs, last = unroll(bound, inputs, start, engine="eager", **times)
        return outputs, *leaves(cell, last)

    assert torch.autograd.gradcheck(run, (inputs.requires_grad_(), *tensors, *states))


@every_cell
def test_the_adjoint_program_gives_autograd_s_gradients(name):
    cell = built(name)
    inputs, state = inputs_for(cell, 3).requires_grad_(), state_for(cell)
    outputs, last = over(cell, inputs, state, engine="eager")
    found = gradients(cell, outputs, last, inputs)
    given = {n: s.numpy() for n, s in zip(cell.definition.states, leaves(cell, state), strict=True)}
    d_outputs = outputs.detach().cos().numpy()
    d_state = {n: 2 * s.detach().numpy() for n, s in zip(cell.definition.states, leaves(cell, last), strict=True)}
    times = {name: value.numpy() for name, value in times_of(cell, inputs).items()}
    fixed, numbers = values_of(cell), inputs.detach().numpy()
    expected = oracle.backpropagate(cell.program, fixed, numbers, given, d_outputs, d_state, **times)
    np.testing.assert_allclose(found["x"], expected["x"], rtol=1e-9, atol=1e-11)
    trained = dict(cell.named_parameters())
    for symbol, (stack, start, length) in cell.definition.symbols.items():
        if stack not in trained:
            continue
        part = found[stack].narrow(0, start, length)
        np.testing.assert_allclose(part, expected[symbol], rtol=1e-9, atol=1e-11)


# the contract over time


@every_cell
@pytest.mark.parametrize("split", [1, 6, 12])
def test_unrolling_in_two_pieces_changes_nothing(name, split):
    cell = built(name)
    inputs, state = inputs_for(cell).requires_grad_(), state_for(cell)
    whole, last = over(cell, inputs, state)
    first, middle = over(cell, inputs[:split], state)
    second, end = over(cell, inputs[split:], middle)
    pieces = torch.cat([first, second])
    torch.testing.assert_close(pieces, whole, rtol=1e-10, atol=1e-12)
    expected = gradients(cell, whole, last, inputs)
    found = gradients(cell, pieces, end, inputs)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@every_cell
def test_permuting_the_batch_permutes_the_output(name):
    cell = built(name)
    inputs, state = inputs_for(cell), state_for(cell)
    order = torch.randperm(B, generator=torch.Generator().manual_seed(5))
    outputs, last = over(cell, inputs, state)
    permuted, end = over(cell, inputs[:, order], cell.definition.pack_state([s[order] for s in leaves(cell, state)]))
    torch.testing.assert_close(permuted, outputs[:, order], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(leaves(cell, end), [s[order] for s in leaves(cell, last)], rtol=1e-12, atol=1e-14)


@every_cell
def test_padding_changes_nothing(name):
    cell = built(name)
    inputs = inputs_for(cell)
    lengths = torch.tensor([13, 4, 0, 7, 1, 13, 9])
    padded = inputs.clone()
    padded[torch.arange(T)[:, None] >= lengths] = 1e6
    outputs, last = over(cell, padded, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, end = over(cell, inputs[:length, row : row + 1])
        torch.testing.assert_close(outputs[:length, row : row + 1], alone, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(
            [s[row : row + 1] for s in leaves(cell, last)], leaves(cell, end), rtol=1e-10, atol=1e-12
        )
        assert not outputs[length:, row].any()


@every_cell
def test_a_row_with_nan_harms_no_other(name):
    cell = built(name)
    inputs = inputs_for(cell)
    expected, _ = over(cell, inputs)
    inputs[4, 2] = torch.nan
    outputs, _ = over(cell, inputs)
    others = [row for row in range(B) if row != 2]
    torch.testing.assert_close(outputs[:, others], expected[:, others], rtol=1e-12, atol=1e-14)
    assert outputs[4:, 2].isnan().any()


# engines

CALLS = {
    "plain": {},
    "one step": {},
    "no step": {},
    "one row": {},
    "lengths": {"lengths": torch.tensor([13, 0, 5, 1, 0, 9, 13])},
    "reset": {"reset": (torch.arange(T)[:, None] + torch.arange(B)) % 6 == 0},
    "reverse": {"reverse": True},
    "reverse with lengths": {"reverse": True, "lengths": torch.tensor([2, 13, 0, 7, 7, 1, 12])},
}


SIZES = {"one step": (1, 7), "no step": (0, 7), "one row": (13, 1), "reverse": (13, 1)}
"""Steps and rows of a kind of call, (13, 7) elsewhere."""


def call_for(kind: str, steps: int, batch: int) -> dict:
    """Return a kind of call cut to these sizes."""
    call = dict(CALLS[kind])
    if "lengths" in call:
        call["lengths"] = call["lengths"][:batch].clamp(max=steps)
    if "reset" in call:
        call["reset"] = call["reset"][:steps, :batch]
    return call


def can_run(name: str, engine: str) -> bool:
    """Whether an engine runs a plain call of a cell on this machine."""
    try:
        plan(CATALOGUE[name].build(D, H), engine=engine)
    except EngineError:
        return False
    return True


RUNNABLE = [
    (name, engine)
    for name in EQUATION_CELLS
    for engine in ENGINES
    if engine not in ("native", "eager") and can_run(name, engine)
]


def run(cell: EquationCell, engine: str, kind: str, steps: int, batch: int, dtype):
    inputs = inputs_for(cell, steps, batch, dtype).requires_grad_()
    start = [s.requires_grad_() for s in leaves(cell, state_for(cell, batch, dtype))]
    call = call_for(kind, steps, batch)
    outputs, last = over(cell, inputs, cell.definition.pack_state(start), engine=engine, **call)
    return outputs, leaves(cell, last), gradients(cell, outputs, last, inputs, *start)


def scaled(tree, like):
    """Return tensors over the largest number of their like, where it is above 1: small ones are sums of large ones."""
    return pytree.tree_map(lambda t, u: t / u.abs().amax().clamp(min=1) if u.numel() else t, tree, like)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(("name", "engine"), RUNNABLE)
def test_every_engine_agrees_with_eager_forward_and_backward(name, engine, kind, dtype):
    cell = built(name, dtype)
    steps, batch = SIZES.get(kind, (T, B))
    try:
        found = run(cell, engine, kind, steps, batch, dtype)
    except EngineError as refused:
        pytest.skip(str(refused))
    expected = run(cell, "eager", kind, steps, batch, dtype)
    rtol, atol = TOLERANCE[dtype]
    torch.testing.assert_close(scaled(found, expected), scaled(expected, expected), rtol=rtol, atol=atol)


@pytest.mark.parametrize("kind", CALLS)
@every_cell
def test_unrolling_is_the_loop_written_by_hand(name, kind):
    cell = built(name)
    inputs = inputs_for(cell)
    call = call_for(kind, T, B)
    lengths = call.get("lengths", torch.full((B,), T)).tolist()
    reset = call.get("reset", torch.zeros(T, B, dtype=torch.bool))
    state = state_for(cell)
    outputs, last = over(cell, inputs, state, **call)
    for row, length in enumerate(lengths):
        held = cell.definition.pack_state([s[row : row + 1] for s in leaves(cell, state)])
        times = range(length)
        for t in reversed(times) if call.get("reverse") else times:
            held = cell.initial_state(1) if reset[t, row] else held
            since = (t + 1) % length if call.get("reverse") else t  # backwards: the next one's
            times = times_of(cell, inputs[since, row : row + 1])
            output, held = cell.step(inputs[t, row : row + 1], held, **times)
            torch.testing.assert_close(outputs[t, row : row + 1], output, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(
            [s[row : row + 1] for s in leaves(cell, last)], leaves(cell, held), rtol=1e-9, atol=1e-12
        )


@every_cell
def test_bfloat16_keeps_a_float32_state(name):
    cell = built(name, torch.bfloat16)
    inputs = inputs_for(cell, steps=5, dtype=torch.bfloat16)  # where nothing is forgotten, rounding adds up
    outputs, last = over(cell, inputs)
    assert outputs.dtype == torch.bfloat16
    assert {s.dtype for s in leaves(cell, last)} == {torch.float32}
    expected, _ = over(copy.deepcopy(cell).double(), inputs.double())
    torch.testing.assert_close(outputs.double(), expected, rtol=0.1, atol=0.1)


@every_cell
def test_zero_rows_are_fine(name):
    cell = built(name)
    outputs, last = over(cell, inputs_for(cell, batch=0))
    assert outputs.shape == (T, 0, cell.output_size)
    assert [len(s) for s in leaves(cell, last)] == [0] * len(cell.definition.states)


# a module like any other


@every_cell
def test_saved_is_loaded(name, tmp_path):
    cell, other = built(name), built(name, seed=9)
    save_file(cell.state_dict(), tmp_path / "cell.safetensors")
    other.load_state_dict(load_file(tmp_path / "cell.safetensors"))
    inputs = inputs_for(cell)
    assert torch.equal(over(cell, inputs)[0], over(other, inputs)[0])


@every_cell
def test_a_symbol_reads_the_rows_it_names(name):
    cell = built(name)
    for symbol, (stack, start, length) in cell.definition.symbols.items():
        part = getattr(cell, symbol)
        assert torch.equal(part, getattr(cell, stack)[start : start + length])
        assert part.untyped_storage().data_ptr() == getattr(cell, stack).untyped_storage().data_ptr()


@every_cell
def test_writing_to_a_symbol_writes_to_the_stored_tensor(name):
    cell = built(name)
    symbol = next(iter(cell.definition.symbols))
    stack, start, length = cell.definition.symbols[symbol]
    with torch.no_grad():
        getattr(cell, symbol).fill_(3.0)
    assert (getattr(cell, stack)[start : start + length] == 3.0).all()


@every_cell
def test_every_parameter_of_the_equations_is_stored_once(name):
    cell = built(name)
    held = [symbol for stack in cell.definition.stacks for symbol in stack.symbols]
    assert sorted(held) == sorted(p.name for p in cell.program.parameters)
    sizes = [getattr(cell, p.name).numel() for p in cell.program.parameters]
    assert sum(tensor.numel() for tensor in cell.state_dict().values()) == sum(sizes)


@every_cell
def test_a_cell_prints_its_class_and_sizes(name):
    cell = CATALOGUE[name].build(D, H)
    settings = "".join(f", {k}={v:g}" for k, v in (cell.constants | cell.counts).items())
    assert repr(cell) == f"{type(cell).__name__}(3, 5{settings})"
    assert repr(CATALOGUE[name].build(D, H, bias=False)) == f"{type(cell).__name__}(3, 5{settings}, bias=False)"


@every_cell
def test_a_resized_cell_is_the_same_kind_with_other_sizes(name):
    symbols = [p.name for p in CATALOGUE[name].build(D, H, bias=False).program.parameters]
    cell = CATALOGUE[name].build(D, H, bias=False, dtype=torch.float64, initialisers=dict.fromkeys(symbols, 0.0))
    other = cell.resized(4, 6)
    assert type(other) is type(cell)
    assert (other.input_size, other.hidden_size, other.has_bias) == (4, 6, False)
    assert {tensor.dtype for tensor in other.state_dict().values()} == {torch.float64}
    assert not any(tensor.any() for tensor in other.state_dict().values())
    x = torch.zeros(2, 4, dtype=torch.float64)
    assert other(x, None, *times_of(other, x).values())[0].shape == (2, other.output_size)


@every_cell
def test_a_copy_is_independent(name):
    cell = built(name)
    twin = copy.deepcopy(cell)
    inputs = inputs_for(cell)
    before = over(cell, inputs)[0]
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(over(cell, inputs)[0], before)


@every_cell
def test_a_cell_survives_pickling_after_it_has_run(name):
    cell = built(name)
    inputs = inputs_for(cell)
    expected = over(cell, inputs)[0]
    again = pickle.loads(pickle.dumps(cell))
    assert torch.equal(over(again, inputs)[0], expected)
    assert again.definition is cell.definition


@every_cell
def test_a_cell_without_bias_runs(name):
    cell = built(name, bias=False)
    assert over(cell, inputs_for(cell))[0].shape == (T, B, cell.output_size)


@every_cell
def test_a_parametrized_weight_is_the_one_that_runs(name):
    cell = built(name)
    torch.nn.utils.parametrizations.spectral_norm(cell, "weight_ih")
    cell.eval()
    plain = built(name)
    with torch.no_grad():
        plain.weight_ih.copy_(cell.weight_ih)
    inputs = inputs_for(cell)
    torch.testing.assert_close(over(cell, inputs)[0], over(plain, inputs)[0], rtol=1e-12, atol=1e-14)
    symbol = cell.definition.stacks[0].symbols[0]
    torch.testing.assert_close(getattr(cell, symbol), getattr(plain, symbol))
