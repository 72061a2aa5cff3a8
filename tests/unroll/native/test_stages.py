"""Stages: as few as the products and sums over a row allow, each value in the stage that needs it."""

import pytest
import torch
from loops import TEXTS, make
from planned import passes_of, stage_that_makes
from tests.catalogue import EQUATION_CELLS

import ostinato
from ostinato import CATALOGUE
from ostinato.unroll.native.stages import Schedule


def forward(text: str, hidden_size: int = 4) -> Schedule:
    return passes_of(ostinato.cell(text, 3, hidden_size)).forward.schedule


@pytest.mark.parametrize(
    ("text", "barriers"),
    [
        ("h' = tanh(W @ x + U @ h)", 1),
        ("f = sigmoid(U_f @ h + W @ x)\nh' = f * h + (1 - f) * tanh(U @ (f * h))", 2),
        ("h' = tanh(V @ tanh(U @ h + W @ x))", 2),
        ("h' = tanh(C @ tanh(B @ tanh(A @ h + W @ x)))", 3),
        ("h' = u * h + W @ x", 1),
        ("h' = rms_norm(U @ h + W @ x)", 2),
        ("h' = layer_norm(U @ h + W @ x)", 3),
        ("h' = softmax(U @ h + W @ x)", 3),
        ("h' = h / (1 + sum(h * h)) + W @ x", 2),
    ],
)
def test_a_step_waits_as_often_as_a_row_must_be_complete(text, barriers):
    assert forward(text).barriers == barriers


@pytest.mark.parametrize(("name", "barriers"), [("elman", 1), ("lstm", 1), ("gru", 1), ("gru-reset-before", 2)])
def test_a_known_cell_waits_no_more_than_it_must(name, barriers):
    assert passes_of(CATALOGUE[name].build(3, 4)).forward.schedule.barriers == barriers


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_the_backward_step_of_a_known_cell_has_one_product_at_its_end(name):
    schedule = passes_of(CATALOGUE[name].build(3, 4)).backward.schedule
    assert schedule.barriers == 2
    assert [len(stage.products) for stage in schedule.stages] == [0, 1]


def test_products_that_are_only_added_are_one():
    (stage,) = [s for s in forward("h' = tanh(U @ h + V @ (h * h) + W @ x)").stages if s.products]
    (product,) = stage.products
    assert len(product.factors) == 2


def test_products_that_are_read_alone_stay_alone():
    (stage,) = forward("a = U @ h\nb = V @ h\nh' = tanh(a + b) * a").stages
    assert len(stage.products) == 2


def test_units_of_different_sizes_are_different_stages():
    sizes = [stage.size for stage in forward("m : 2*H\nm' = A @ m + B @ x\nh' = tanh(U @ h + W @ x)").stages]
    assert sorted(sizes) == [4, 8]


def test_an_operation_waits_for_the_stage_that_reads_it():
    schedule = forward("b = sigmoid(h + W @ x)\nh' = V @ tanh(U @ h) + b")
    assert stage_that_makes(schedule, "b") is stage_that_makes(schedule, "h'")


every_pass = [
    pytest.param(name, direction, id=f"{name}, {direction}")
    for name in [*EQUATION_CELLS, *TEXTS]
    for direction in ("forward", "backward")
]


def schedule_of(name: str, direction: str) -> Schedule:
    return getattr(passes_of(make(name, torch.float32)), direction).schedule


@pytest.mark.parametrize(("name", "direction"), every_pass)
def test_what_a_product_or_a_sum_over_a_row_reads_was_complete_before(name, direction):
    schedule = schedule_of(name, direction)
    complete = {i.name for i in schedule.program.inputs}
    for stage in schedule.stages:
        made = {p.out for p in stage.products} | {op.out for op in stage.ops}
        assert {f.operand for p in stage.products for f in p.factors} <= complete
        assert complete.isdisjoint(made)
        complete |= made


@pytest.mark.parametrize(("name", "direction"), every_pass)
def test_each_value_is_made_once_and_all_outputs_are(name, direction):
    schedule = schedule_of(name, direction)
    made = [v for s in schedule.stages for v in [*(p.out for p in s.products), *(op.out for op in s.ops)]]
    assert len(made) == len(set(made))
    assert {value for _, value in schedule.program.outputs} <= {*made, *(i.name for i in schedule.program.inputs)}


@pytest.mark.parametrize(("name", "direction"), every_pass)
def test_what_passes_between_stages_is_kept_and_nothing_else_is(name, direction):
    schedule = schedule_of(name, direction)
    outputs = {value for _, value in schedule.program.outputs}
    for k, stage in enumerate(schedule.stages):
        later = schedule.stages[k + 1 :]
        read = {a for s in later for op in (*s.ops, *s.reductions) for a in op.args if isinstance(a, str)}
        read |= {f.operand for s in later for p in s.products for f in p.factors}
        own = {p.out for p in stage.products} | {op.out for op in stage.ops}
        if stage.size:
            assert own & (read | outputs) <= {*stage.stored}
            assert own & {*schedule.buffers} <= read | {f.operand for p in stage.products for f in p.factors}
