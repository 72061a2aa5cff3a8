"""Both planned passes, run stage by stage in NumPy, give what the oracle's own derivative of the step gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, note, settings
from loops import TEXTS, make
from planned import Step, passes_of, run
from tests.catalogue import EQUATION_CELLS
from tests.equations.random_cells import RandomCell, random_cells

import ostinato
from ostinato import CATALOGUE
from ostinato.equations import oracle
from ostinato.equations.differentiate import differentiate

every_cell = pytest.mark.parametrize("name", [*EQUATION_CELLS, *TEXTS])
every_form = pytest.mark.parametrize("hoisted", [True, False], ids=["products before", "products inside"])


def check_step(cell, *, hoisted: bool, seed: int = 0) -> None:
    """Compare one step and its gradients with the oracle's."""
    step = Step(passes_of(cell, hoisted=hoisted), seed)
    inputs = sorted(step.loop.program.inputs, key=lambda i: i.role in ("parameter", "constant"))  # rows first
    program = replace(step.loop.program, inputs=tuple(inputs))
    assert_near(step.forward(), oracle.evaluate(program, step.values))
    found, expected = step.backward(), oracle.evaluate(differentiate(program), step.values | step.arriving)
    missing = {name: np.zeros_like(value) for name, value in found.items() if name not in expected}
    assert_near(found, expected | missing)


def assert_near(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, np.abs(value).max(initial=0.0))
        np.testing.assert_allclose(found[name] / scale, value / scale, rtol=1e-9, atol=1e-9, err_msg=name)


@every_form
@every_cell
def test_a_planned_step_is_the_oracle_s_and_so_are_its_gradients(name, hoisted):
    check_step(make(name, torch.float64), hoisted=hoisted)


@settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(random=random_cells())
def test_whatever_equations_say_their_plan_gives_the_oracle_s_gradients(random: RandomCell):
    note(random.text)
    check_step(random.build(), hoisted=random.seed % 2 == 0, seed=random.seed)


@every_form
@pytest.mark.parametrize(
    "text",
    [
        "h' = W.T @ h + h",
        "h' = W.T @ (U @ h) + x",
        "h' = W.T @ x + U @ h",
        "c' = tanh(U @ h + x)\nh' = W.T @ c' + c",
        "y' = U.T @ y + h\nh' = x",
        "h' = W.T @ softmax(U.T @ h) + W @ x",
        "h' = 0.5 * h + where(x > 0, 1, -1) * sum(x)",
    ],
)
def test_a_gradient_whose_two_sides_come_from_elsewhere_is_the_oracle_s(text, hoisted):
    check_step(ostinato.cell(text, 4, 4, dtype=torch.float64), hoisted=hoisted)


def saved(text: str, hidden_size: int = 4) -> int:
    return passes_of(ostinato.cell(text, 3, hidden_size)).saved_width // hidden_size


@pytest.mark.parametrize(
    ("name", "vectors"), [("elman", 0), ("lstm", 4), ("gru", 4), ("gru-reset-before", 3), ("jordan", 1)]
)
def test_a_known_cell_keeps_what_is_known_to_suffice(name, vectors):
    """Of an LSTM i, f, g and o; of a GRU r, z, n and what r scales, or r, z and n; of Jordan's network its layer."""
    assert passes_of(CATALOGUE[name].build(3, 4)).saved_width == 4 * vectors


@pytest.mark.parametrize(
    ("text", "vectors"),
    [
        ("h' = tanh(W @ x + U @ h)", 0),
        ("h' = relu(W @ x + U @ h)", 1),
        ("h' = 0.5 * h + W @ x", 0),
        ("h' = u * h + W @ x", 0),
        ("f = sigmoid(W_f @ x + U_f @ h)\nh' = f * h + (1 - f) * tanh(W @ x + U @ (f * h))", 2),
        ("a = W @ x + U @ h\nh' = tanh(a) + sin(a) + cos(a) * exp(a)", 1),
    ],
)
def test_a_loop_keeps_the_fewest_numbers(text, vectors):
    assert saved(text) == vectors


def test_what_is_kept_is_nothing_that_a_state_already_holds():
    passes = passes_of(CATALOGUE["lstm"].build(3, 4))
    kept = {v for v, places in passes.forward.writes.items() if any(p.tensor == "saved" for p in places)}
    assert kept == {"i", "f", "g", "o"}
    assert passes.saved_per_row == 4 * 4 + 2 * 4


def test_places_beside_each_other_do_not_overlap():
    for name in EQUATION_CELLS:
        made = passes_of(CATALOGUE[name].build(3, 4))
        for one in (made.forward, made.backward):
            assert all(written <= width for width, written in one.widths_written.values())


def test_blocks_of_one_tensor_that_meet_the_same_operand_are_one_product():
    passes = passes_of(CATALOGUE["lstm"].build(3, 4))
    assert len(passes.blocks) == 4
    (joined,) = passes.joined_blocks
    assert (joined.tensor, joined.start, joined.left.size, joined.right) == ("weight_hh", 0, 16, "h")


def test_a_stage_that_reads_what_is_not_complete_is_found_out():
    """The interpreter would say so: here the stages of a step are run in the wrong order."""
    passes = passes_of(make("a product of an intermediate", torch.float64))
    step, schedule = Step(passes, 0), passes.forward.schedule
    turned = type(schedule)(schedule.program, schedule.stages[::-1], schedule.buffers, schedule.sizes)
    with pytest.raises(KeyError):
        run(turned, step.values)
