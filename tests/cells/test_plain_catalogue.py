"""One suite over every cell of the catalogue that is no equations: it keeps the contract all the same."""

import copy
import importlib
import inspect
import pickle
import pkgutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato import CATALOGUE, Cell, ConfigError, EquationCell, plan, unroll
from ostinato.cells import catalogue
from ostinato.cells.reading import why_unreadable

B, T = 5, 9
PLAIN_CELLS = [name for name, info in CATALOGUE.items() if not info.equations]
SETTINGS = {
    "conv-lstm": {"input_size": 12, "hidden_size": 18, "image_size": (2, 3)},
    "conv-gru": {"input_size": 12, "hidden_size": 18, "image_size": (2, 3)},
}
"""What a cell is built with beyond input_size=3, hidden_size=4."""
OTHER_SIZES = {"conv-lstm": (18, 12), "conv-gru": (18, 12)}
LENGTHS = torch.tensor([9, 4, 0, 1, 7])

every_cell = pytest.mark.parametrize("name", PLAIN_CELLS)


def built(name: str, dtype=torch.float64, seed=0, **values) -> Cell:
    """Return a cell whose parameters are large enough to matter."""
    cell = CATALOGUE[name].build(**{"input_size": 3, "hidden_size": 4} | SETTINGS.get(name, {}) | values, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.6)
    return cell


def random(*shape: int, seed: int, dtype=torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inputs_for(cell: Cell, steps=T, batch=B, dtype=torch.float64) -> Tensor:
    return random(steps, batch, cell.input_size, seed=1, dtype=dtype)


def state_for(cell: Cell, batch=B):
    """Return a state that is not zero, in the cell's own structure."""
    start = cell.initial_state(batch, dtype=torch.float64)
    return pytree.tree_map(lambda leaf: random(*leaf.shape, seed=2) * 0.5, start)


def rows(state, chosen):
    return pytree.tree_map(lambda leaf: leaf[chosen], state)


def gradients(cell: Cell, outputs: Tensor, state, inputs: Tensor) -> list[Tensor]:
    """Return the gradients of a number that depends on all outputs and the last state."""
    loss = (outputs * outputs.detach().cos()).sum() + sum((leaf**2).sum() for leaf in pytree.tree_leaves(state))
    return list(torch.autograd.grad(loss, [inputs, *cell.parameters()]))


# the catalogue


def test_no_plain_cell_of_a_family_is_missing_from_the_catalogue():
    found = set()
    for family in catalogue.FAMILIES:
        for module in pkgutil.walk_packages(family.__path__, f"{family.__name__}."):
            for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if issubclass(kind, Cell) and not issubclass(kind, EquationCell) and "step" in vars(kind):
                    found.add(kind)
    assert found - {Cell} == {CATALOGUE[name].kind for name in PLAIN_CELLS}


@every_cell
def test_a_plain_cell_says_what_it_is_why_it_is_plain_and_where_it_comes_from(name):
    info = CATALOGUE[name]
    assert info.summary
    assert any(character.isdigit() for character in info.reference)
    assert "plain cell, because" in " ".join((inspect.getdoc(info.kind) or "").lower().split())


@every_cell
def test_a_plain_cell_is_built_from_two_sizes_alone(name):
    cell = CATALOGUE[name].build(3, 4)
    assert (cell.input_size, cell.hidden_size) == (3, 4)


@every_cell
@pytest.mark.parametrize("size", [0, -1, True, 2.5, None, "three"])
@pytest.mark.parametrize("place", ["input_size", "hidden_size"])
def test_a_size_that_is_no_size_is_refused(name, place, size):
    with pytest.raises(ConfigError, match=place):
        built(name, **{place: size})


# the step


@every_cell
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_step_keeps_shapes_and_types(name, dtype):
    cell = built(name, dtype)
    start = cell.initial_state(B, dtype=dtype)
    output, after = cell.step(inputs_for(cell, dtype=dtype)[0], start)
    assert (output.shape, output.dtype) == ((B, cell.output_size), dtype)
    assert pytree.tree_structure(after) == pytree.tree_structure(start)
    expected = [(leaf.shape, leaf.dtype) for leaf in pytree.tree_leaves(start)]
    assert [(leaf.shape, leaf.dtype) for leaf in pytree.tree_leaves(after)] == expected


@every_cell
def test_a_state_is_made_where_and_of_what_the_cell_is(name):
    leaves = pytree.tree_leaves(built(name).initial_state(B))
    assert {(leaf.dtype, leaf.device.type, len(leaf)) for leaf in leaves} == {(torch.float64, "cpu", B)}


@every_cell
def test_calling_a_cell_without_a_state_starts_at_the_initial_one(name):
    cell = built(name)
    x = inputs_for(cell)[0]
    assert torch.equal(cell(x)[0], cell.step(x, cell.initial_state(B, dtype=x.dtype))[0])


@every_cell
def test_the_gradient_of_a_short_unroll_passes_gradcheck(name):
    cell = built(name)
    names = [n for n, _ in cell.named_parameters()]
    tensors = [p.detach().clone().requires_grad_() for p in cell.parameters()]
    leaves, structure = pytree.tree_flatten(state_for(cell, batch=2))

    def run(inputs, *rest):
        state = pytree.tree_unflatten(list(rest[len(names) :]), structure)
        outputs = []
        with torch.nn.utils.parametrize.cached():
            for x in inputs:
                weights = dict(zip(names, rest, strict=False))
                output, state = torch.func.functional_call(cell, weights, (x, state))
                outputs.append(output)
        return torch.stack(outputs), *pytree.tree_leaves(state)

    starts = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(run, (inputs_for(cell, 2, 2).requires_grad_(), *tensors, *starts))


# the contract over time


@every_cell
@pytest.mark.parametrize(
    "call",
    [{}, {"lengths": LENGTHS}, {"reverse": True}, {"reverse": True, "lengths": LENGTHS},
     {"reset": (torch.arange(T)[:, None] + torch.arange(B)) % 4 == 0}],
    ids=["plain", "lengths", "reverse", "reverse with lengths", "resets"],
)  # fmt: skip
def test_unrolling_is_the_loop_written_by_hand(name, call):
    cell = built(name)
    inputs, state = inputs_for(cell), state_for(cell)
    lengths, reset = call.get("lengths", torch.full((B,), T)).tolist(), call.get("reset")
    outputs, last = unroll(cell, inputs, state, **call)
    for row, length in enumerate(lengths):
        held = rows(state, slice(row, row + 1))
        times = range(length)
        for t in reversed(times) if call.get("reverse") else times:
            held = cell.initial_state(1) if reset is not None and reset[t, row] else held
            output, held = cell.step(inputs[t, row : row + 1], held)
            torch.testing.assert_close(outputs[t, row : row + 1], output, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(rows(last, slice(row, row + 1)), held, rtol=1e-9, atol=1e-12)
        assert not outputs[length:, row].any()


@every_cell
@pytest.mark.parametrize("split", [1, 4, 8])
def test_unrolling_in_two_pieces_changes_nothing(name, split):
    cell = built(name)
    inputs, state = inputs_for(cell).requires_grad_(), state_for(cell)
    whole, last = unroll(cell, inputs, state)
    first, middle = unroll(cell, inputs[:split], state)
    second, end = unroll(cell, inputs[split:], middle)
    pieces = torch.cat([first, second])
    torch.testing.assert_close(pieces, whole, rtol=1e-10, atol=1e-12)
    expected = gradients(cell, whole, last, inputs)
    torch.testing.assert_close(gradients(cell, pieces, end, inputs), expected, rtol=1e-9, atol=1e-11)


@every_cell
def test_permuting_the_batch_permutes_the_output(name):
    cell = built(name)
    inputs, state = inputs_for(cell), state_for(cell)
    order = torch.randperm(B, generator=torch.Generator().manual_seed(5))
    outputs, last = unroll(cell, inputs, state)
    permuted, end = unroll(cell, inputs[:, order], rows(state, order))
    torch.testing.assert_close(permuted, outputs[:, order], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(end, rows(last, order), rtol=1e-12, atol=1e-14)


@every_cell
def test_padding_changes_nothing(name):
    cell = built(name)
    inputs = inputs_for(cell)
    padded = inputs.clone()
    padded[torch.arange(T)[:, None] >= LENGTHS] = 1e6
    found, expected = (unroll(cell, given, lengths=LENGTHS) for given in (padded, inputs))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@every_cell
def test_a_row_with_nan_harms_no_other(name):
    cell = built(name)
    inputs = inputs_for(cell)
    expected, _ = unroll(cell, inputs)
    inputs[4, 2] = torch.nan
    outputs, _ = unroll(cell, inputs)
    others = [row for row in range(B) if row != 2]
    torch.testing.assert_close(outputs[:, others], expected[:, others], rtol=1e-12, atol=1e-14)
    assert outputs[4:, 2].isnan().any()


@every_cell
def test_zero_rows_and_zero_steps_are_fine(name):
    cell = built(name)
    outputs, last = unroll(cell, inputs_for(cell, batch=0))
    assert outputs.shape == (T, 0, cell.output_size)
    assert {len(leaf) for leaf in pytree.tree_leaves(last)} == {0}
    outputs, last = unroll(cell, inputs_for(cell, steps=0), state := state_for(cell))
    assert outputs.shape == (0, B, cell.output_size)
    torch.testing.assert_close(last, state, rtol=0, atol=0)


@every_cell
def test_narrow_numbers_keep_a_float32_state(name):
    cell = built(name, torch.bfloat16)
    inputs = inputs_for(cell, dtype=torch.bfloat16)
    outputs, last = unroll(cell, inputs)
    assert outputs.dtype == torch.bfloat16
    assert {leaf.dtype for leaf in pytree.tree_leaves(last)} == {torch.float32}
    expected, _ = unroll(copy.deepcopy(cell).double(), inputs.double())
    torch.testing.assert_close(outputs.double(), expected, rtol=0.1, atol=0.1)


@every_cell
def test_a_step_that_is_readable_is_compiled_and_agrees_with_eager(name):
    cell = built(name)
    inputs, state = inputs_for(cell).requires_grad_(), state_for(cell)
    assert plan(cell).engine == ("native" if why_unreadable(cell) is None else "eager")
    results = []
    for engine in ("auto", "eager"):
        outputs, last = unroll(cell, inputs, state, engine=engine)
        results.append((outputs, last, gradients(cell, outputs, last, inputs)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-12)


# a module like any other


@every_cell
def test_saved_is_loaded(name, tmp_path):
    cell, other = built(name), built(name, seed=9)
    save_file(cell.state_dict(), tmp_path / "cell.safetensors")
    other.load_state_dict(load_file(tmp_path / "cell.safetensors"))
    inputs = inputs_for(cell)
    assert torch.equal(unroll(cell, inputs)[0], unroll(other, inputs)[0])


@every_cell
@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))], ids=["copy", "pickle"]
)
def test_a_twin_is_the_same_and_independent(name, again):
    cell = built(name)
    inputs = inputs_for(cell)
    expected = unroll(cell, inputs)[0]
    twin = again(cell)
    assert torch.equal(unroll(twin, inputs)[0], expected)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(unroll(cell, inputs)[0], expected)


@every_cell
def test_parameters_are_drawn_anew(name):
    cell = built(name)
    drawn = [p.clone() for p in cell.parameters()]
    cell.reset_parameters()
    assert all(
        p.requires_grad and p.is_leaf and not torch.equal(p, d) for p, d in zip(cell.parameters(), drawn, strict=True)
    )


@every_cell
def test_a_resized_cell_is_the_same_kind_with_other_sizes(name):
    cell = built(name)
    sizes = OTHER_SIZES.get(name, (5, 6))
    other = cell.resized(*sizes)
    assert type(other) is type(cell)
    assert (other.input_size, other.hidden_size) == sizes
    assert {p.dtype for p in other.parameters()} == {torch.float64}
    assert other(torch.zeros(2, sizes[0], dtype=torch.float64))[0].shape == (2, other.output_size)


@every_cell
def test_a_cell_prints_its_class_and_sizes(name):
    cell = built(name)
    assert repr(cell).startswith(f"{type(cell).__name__}(")
    assert f"{cell.input_size}, {cell.hidden_size}" in repr(cell)


@pytest.mark.parametrize("initialisers", ["uniform", {"": "uniform"}])
def test_a_plain_cell_takes_the_start_that_all_have_unless_told(initialisers):
    cell = CATALOGUE["mc-lstm"].build(3, 4, initialisers=initialisers)
    assert cell.hidden_size == 4


def test_a_keyword_that_a_plain_cell_does_not_know_is_named():
    with pytest.raises(ConfigError, match="unknown keyword"):
        CATALOGUE["mc-lstm"].build(3, 4, initialisers="orthogonal")
