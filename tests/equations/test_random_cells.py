"""Whatever equations say, every reader of them agrees: hypothesis writes the cells."""

import numpy as np
import torch
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_cells import COVERED, RandomCell, random_cells, respelt

from ostinato import unroll
from ostinato.equations import oracle
from ostinato.equations.functions import WRITTEN
from ostinato.equations.latex import latex
from ostinato.equations.parse import parse
from ostinato.equations.program import check
from ostinato.equations.torch_reader import compile_torch

STEPS, BATCH = 2, 2


def steadily(examples: int):
    """The same examples on every run, as many as fit a test."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=quiet, database=None)


def assert_same(actual, expected, tolerance=1e-10):
    """Compare in float64, relative to the largest number."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=tolerance, atol=tolerance)


def test_random_cells_draw_from_the_whole_functions_table():
    assert set(WRITTEN) == COVERED


@steadily(80)
@given(random_cells())
def test_a_valid_text_gives_a_program_that_passes_its_check(random: RandomCell):
    note(random.text)
    program = parse(random.text)
    assert check(program) is program
    assert parse(random.text) == program
    assert hash(parse(random.text)) == hash(program)


@steadily(60)
@given(random_cells(), st.data())
def test_a_paper_s_spelling_gives_the_same_program(random: RandomCell, data):
    text = data.draw(respelt(random.text))
    assert parse(text) == parse(random.text)


@steadily(60)
@given(random_cells())
def test_latex_of_any_program_has_balanced_braces(random: RandomCell):
    text = latex(parse(random.text))
    note(text)
    assert text.replace(r"\{", "").count("{") == text.replace(r"\}", "").count("}")
    assert text.count(r"\left(") == text.count(r"\right)")


@steadily(80)
@given(random_cells())
def test_a_torch_step_equals_the_oracle(random: RandomCell):
    note(random.text)
    cell = random.build()
    fixed, inputs, state, dt = random.arrays(cell, steps=1)
    times = {} if dt is None else {"dt": dt[0][:, None]}
    expected = oracle.evaluate(cell.program, {**fixed, **times, "x": inputs[0], **state})
    packed = cell.definition.pack_state([torch.from_numpy(v) for v in state.values()])
    output, after = cell.step(torch.from_numpy(inputs[0]), packed, None if dt is None else torch.from_numpy(dt[0]))
    assert_same(output.detach(), expected["y"])
    for name, value in zip(state, cell.definition.state_values(after), strict=True):
        assert_same(value.detach(), expected[f"{name}'"])


@steadily(80)
@given(random_cells())
def test_the_fused_program_equals_the_plain_one(random: RandomCell):
    note(random.text)
    cell = random.build()
    fixed, inputs, state, dt = random.arrays(cell, steps=1)
    values = {"x": torch.from_numpy(inputs[0]), **{k: torch.from_numpy(v) for k, v in state.items()}}
    values |= {} if dt is None else {"dt": torch.from_numpy(dt[0])[:, None]}
    symbols = {p.name: torch.from_numpy(fixed[p.name]) for p in cell.program.parameters}
    numbers = cell.definition.numbers
    plain = compile_torch(cell.program, numbers)({**values, **symbols, **cell.constants})
    stored = {name: parameter.detach() for name, parameter in cell.named_parameters()}
    fused = compile_torch(cell.definition.fused, numbers)({**values, **stored, **cell.constants})
    for one, other in zip(fused, plain, strict=True):
        assert_same(one, other)


@steadily(60)
@given(random_cells())
def test_a_cell_without_bias_is_the_cell_whose_biases_are_zero(random: RandomCell):
    note(random.text)
    cell, bare = random.build(), random.build(bias=False)
    fixed, inputs, state, dt = random.arrays(cell)
    kept = {p.name for p in bare.program.parameters}
    zeroed = {k: v if k in kept or k in cell.constants else np.zeros_like(v) for k, v in fixed.items()}
    without = {k: v for k, v in fixed.items() if k in kept or k in cell.constants}
    assert_same(
        oracle.run(bare.program, without, inputs, state, dt)[0],
        oracle.run(cell.program, zeroed, inputs, state, dt)[0],
    )


@steadily(80)
@given(random_cells())
def test_the_adjoint_program_gives_autograd_s_gradients(random: RandomCell):
    note(random.text)
    cell = random.build()
    fixed, inputs, state, dt = random.arrays(cell, STEPS, BATCH)
    leaves = {k: torch.from_numpy(v).requires_grad_() for k, v in {**state, "x": inputs}.items()}
    times = None if dt is None else torch.from_numpy(dt)
    packed = cell.definition.pack_state([leaves[name] for name in state])
    outputs, last = unroll(cell, leaves["x"], packed, dt=times, engine="eager")
    generator = np.random.default_rng(random.seed + 2)
    d_outputs = generator.normal(size=tuple(outputs.shape))
    ends = dict(zip(state, cell.definition.state_values(last), strict=True))
    d_state = {name: generator.normal(size=tuple(end.shape)) for name, end in ends.items()}
    loss = (outputs * torch.from_numpy(d_outputs)).sum()
    loss = loss + sum((ends[name] * torch.from_numpy(d_state[name])).sum() for name in ends)
    loss.backward()
    found = oracle.backpropagate(cell.program, fixed, inputs, state, d_outputs, d_state, dt)
    for name, leaf in leaves.items():
        assert_same(found[name], torch.zeros_like(leaf) if leaf.grad is None else leaf.grad, 1e-9)
    for name, expected in gradients_by_symbol(cell).items():
        assert_same(found[name], expected, 1e-9)


def gradients_by_symbol(cell) -> dict:
    """Return torch's gradient of each parameter of the equations."""
    stored = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in cell.named_parameters()}
    by_symbol = {}
    for parameter in cell.program.parameters:
        stack, start, length = cell.definition.symbols.get(parameter.name, (parameter.name, 0, 0))
        by_symbol[parameter.name] = stored[stack].narrow(0, start, length) if parameter.shape else stored[stack]
    return by_symbol
