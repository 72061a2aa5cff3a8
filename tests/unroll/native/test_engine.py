"""The engine under autograd: what a user may do between forward and backward, and what numbers may come in."""

import copy

import pytest
import torch
from loops import D, H, assert_near, leaves, make, random
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import ostinato
from ostinato import EngineError, Recurrent, unroll
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState
from ostinato.unroll.native import compiler, engine, kernel

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

STEPS, BATCH = 6, 4
NAME = "a product of an intermediate"
DOUBLE, SINGLE = torch.float64, torch.float32


def inputs(dtype=DOUBLE, seed=1):
    return random(STEPS, BATCH, D, seed=seed, dtype=dtype)


def outputs_of(cell, x, engine="native", **options):
    return unroll(cell, x, engine=engine, **options)[0]


def both(run):
    """Return what a function of the engine's name gives with both, as tensors by number."""
    return [dict(enumerate(run(name))) for name in ("native", "eager")]


# ---- which gradients are asked for


def test_inputs_that_ask_for_no_gradient_get_none_and_the_rest_is_right():
    def run(engine):
        cell = make(NAME, DOUBLE)
        outputs_of(cell, inputs(), engine).pow(2).sum().backward()
        return [p.grad for p in cell.parameters()]

    assert_near(*both(run), 1e-10)


def test_only_the_inputs_may_ask_for_a_gradient():
    def run(engine):
        cell = make(NAME, DOUBLE).requires_grad_(False)
        x = inputs().requires_grad_()
        return torch.autograd.grad(outputs_of(cell, x, engine).pow(2).sum(), x)

    assert_near(*both(run), 1e-10)


def test_one_parameter_alone_may_ask_for_a_gradient():
    def run(engine):
        cell = make(NAME, DOUBLE).requires_grad_(False)
        parameter = next(iter(cell.parameters())).requires_grad_()
        return torch.autograd.grad(outputs_of(cell, inputs(), engine).pow(2).sum(), parameter)

    assert_near(*both(run), 1e-10)


def test_nothing_is_recorded_where_nothing_asks_for_a_gradient():
    cell = make(NAME, DOUBLE)
    assert not outputs_of(cell.requires_grad_(False), inputs()).requires_grad
    with torch.no_grad():
        assert not outputs_of(make(NAME, DOUBLE), inputs()).requires_grad
    with torch.inference_mode():
        frozen = outputs_of(make(NAME, DOUBLE), inputs())
    torch.testing.assert_close(frozen, outputs_of(make(NAME, DOUBLE), inputs()).detach(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["lstm", "states of several sizes", NAME])
def test_the_last_state_alone_may_be_used(name):
    def run(engine):
        cell = make(name, DOUBLE)
        _, last = unroll(cell, inputs().requires_grad_(), engine=engine)
        loss = leaves(cell, last)[-1].pow(2).sum()
        return torch.autograd.grad(loss, list(cell.parameters()), allow_unused=True, materialize_grads=True)

    assert_near(*both(run), 1e-10)


def test_some_outputs_alone_may_be_used():
    def run(engine):
        cell, x = make(NAME, DOUBLE), inputs().requires_grad_()
        return torch.autograd.grad(outputs_of(cell, x, engine)[2, 1:, ::3].sum(), [x, *cell.parameters()])

    assert_near(*both(run), 1e-10)


def test_an_expanded_gradient_may_arrive():
    def run(engine):
        cell, x = make(NAME, DOUBLE), inputs().requires_grad_()
        outputs = outputs_of(cell, x, engine)
        return torch.autograd.grad(outputs, [x, *cell.parameters()], torch.ones((), dtype=DOUBLE).expand_as(outputs))

    assert_near(*both(run), 1e-10)


def test_gradients_of_two_backward_calls_add_up():
    def run(engine, times):
        cell, x = make(NAME, DOUBLE), inputs().requires_grad_()
        loss = outputs_of(cell, x, engine).pow(2).sum()
        for _ in range(times - 1):
            loss.backward(retain_graph=True)
        loss.backward()
        return dict(enumerate([x.grad, *(p.grad for p in cell.parameters())]))

    once = run("native", 1)
    assert_near(run("native", 3), {k: 3 * g for k, g in once.items()}, 1e-12)


def test_a_second_backward_without_keeping_the_graph_is_torch_s_own_error():
    loss = outputs_of(make(NAME, DOUBLE), inputs()).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@pytest.mark.parametrize("name", [NAME, "a vector for a recurrence", "lstm"])
def test_a_weight_changed_between_forward_and_backward_is_torch_s_own_error(name):
    cell = make(name, DOUBLE)
    loss = outputs_of(cell, inputs()).sum()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_step_of_an_optimizer_after_backward_is_what_eager_does():
    def run(engine):
        cell = make(NAME, DOUBLE)
        optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            outputs_of(cell, inputs(), engine).pow(2).mean().backward()
            optimizer.step()
        return [p.detach() for p in cell.parameters()]

    assert_near(*both(run), 1e-10)


def test_two_cells_may_share_a_parameter():
    def run(engine):
        one, other = make(NAME, DOUBLE), make(NAME, DOUBLE)
        for name in dict(one.named_parameters()):
            setattr(other, name, getattr(one, name))
        loss = outputs_of(one, inputs(), engine).sum() + outputs_of(other, inputs(seed=2), engine).pow(2).sum()
        return torch.autograd.grad(loss, list(one.parameters()))

    assert_near(*both(run), 1e-10)


def test_one_cell_may_run_on_its_own_outputs():
    def run(engine):
        cell = ostinato.cell("h' = tanh(W @ x + U @ h + b)", H, H, dtype=DOUBLE)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.copy_(random(*parameter.shape, seed=8) * 0.2)
        x = random(STEPS, BATCH, H, seed=1).requires_grad_()
        outputs = outputs_of(cell, outputs_of(cell, x, engine), engine)
        return torch.autograd.grad(outputs.pow(2).sum(), [x, *cell.parameters()])

    assert_near(*both(run), 1e-10)


def test_truncated_propagation_passes_a_state_on_without_its_history():
    def run(engine):
        cell, state, x = make("lstm", DOUBLE), None, inputs()
        for part in (x[:2], x[2:4], x[4:]):
            outputs, state = unroll(cell, part, state, engine=engine)
            outputs.pow(2).sum().backward()
            state = type(state)(*(s.detach() for s in state))
        return [*state, *(p.grad for p in cell.parameters())]

    assert_near(*both(run), 1e-10)


def test_propagation_through_pieces_is_that_through_the_whole():
    def run(cuts):
        cell, state, loss = make("lstm", DOUBLE), None, 0
        for part in inputs().tensor_split(cuts):
            outputs, state = unroll(cell, part, state, engine="native")
            loss = loss + outputs.pow(2).sum()
        return dict(enumerate(torch.autograd.grad(loss, list(cell.parameters()))))

    assert_near(run([1, 3]), run([]), 1e-12)


def test_a_learned_start_gets_its_gradient_from_the_start_and_every_reset():
    def run(engine):
        cell = LearnedInitialState(make(NAME, DOUBLE))
        reset = torch.zeros(STEPS, BATCH, dtype=torch.bool)
        reset[2, 1] = reset[4] = True
        with torch.no_grad():
            cell.initial[0].copy_(random(H, seed=5))
        outputs, _ = unroll(cell, inputs(), reset=reset, lengths=[6, 3, 0, 5], engine=engine)
        return torch.autograd.grad(outputs.pow(2).sum(), list(cell.parameters()))

    assert_near(*both(run), 1e-10)


# ---- derivatives of other kinds


def test_the_gradient_of_a_gradient_asks_for_the_eager_engine():
    cell, x = make(NAME, DOUBLE), inputs().requires_grad_()
    loss = outputs_of(cell, x).pow(2).sum()
    with pytest.raises(EngineError, match=r"gradient of a gradient.*Use engine='eager'"):
        torch.autograd.grad(loss, x, create_graph=True)


def test_many_gradients_at_once_ask_for_the_eager_engine():
    x = inputs().requires_grad_()
    outputs = outputs_of(make(NAME, DOUBLE), x)
    with pytest.raises(EngineError, match=r"many gradients at once.*Use engine='eager'"):
        torch.autograd.grad(outputs, x, torch.ones(3, *outputs.shape, dtype=DOUBLE), is_grads_batched=True)


def test_the_gradient_of_a_product_after_the_loop_has_a_gradient():
    """Of more rows than `over_time.LEAST_ROWS`, whose product is our own: a penalty on a gradient must not be lost."""

    def run(engine):
        cell = make("an output of the new state", DOUBLE)
        outputs = outputs_of(cell, random(20, 7, D, seed=1), engine)
        matrix = getattr(cell, cell.definition.symbols["V"][0])
        (gradient,) = torch.autograd.grad(outputs.pow(2).sum(), matrix, create_graph=True)
        return [gradient.detach(), *torch.autograd.grad(gradient.pow(2).sum(), matrix)]

    assert_near(*both(run), 1e-10)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its first jvp
@pytest.mark.parametrize("transform", ["vmap", "jvp", "grad"])
def test_transformations_run_eagerly_by_themselves(transform):
    cell, x = make(NAME, DOUBLE), inputs()

    def loss(values):
        return outputs_of(cell, values, "auto").pow(2).sum()

    if transform == "vmap":
        found, expected = torch.func.vmap(loss)(torch.stack([x, 2 * x])), torch.stack([loss(x), loss(2 * x)])
    elif transform == "jvp":
        found = torch.func.jvp(loss, (x,), (torch.ones_like(x),))[1]
        expected = torch.func.grad(loss)(x).sum()
    else:
        found, expected = torch.func.grad(loss)(x), torch.autograd.grad(loss(x.requires_grad_()), x)[0]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_a_graph_of_plain_operations_is_recorded_with_make_fx():
    cell, other = make(NAME, DOUBLE), inputs(seed=2)
    graph = make_fx(lambda values: outputs_of(cell, values, "auto"))(inputs())
    torch.testing.assert_close(graph(other), outputs_of(cell, other))


def test_fake_tensors_have_shapes_and_leave_nothing_behind():
    with FakeTensorMode(allow_non_fake_inputs=True):
        found = outputs_of(make(NAME, DOUBLE), torch.empty(STEPS, BATCH, D, dtype=DOUBLE), "auto")
    assert found.shape == (STEPS, BATCH, H)
    cell = make(NAME, DOUBLE)
    torch.testing.assert_close(outputs_of(cell, inputs()), outputs_of(cell, inputs(), "eager"))


def test_what_records_operations_is_told_why_no_loop_runs():
    with FakeTensorMode(), pytest.raises(EngineError, match="make_fx"):
        outputs_of(make(NAME, DOUBLE), torch.empty(STEPS, BATCH, D, dtype=DOUBLE))


def test_tensors_without_numbers_in_memory_are_refused():
    with pytest.raises(EngineError, match="without numbers in memory"):
        unroll(make("gru", DOUBLE), inputs(), torch._efficientzerotensor(BATCH, H, dtype=DOUBLE), engine="native")


@pytest.mark.parametrize("options", [{}, {"recompute": True}], ids=["all kept", "recomputed"])
@pytest.mark.parametrize("more", ["nothing", "lengths", "resets"])
def test_the_default_device_is_no_matter(options, more):
    cell, x = make("constants and single numbers", DOUBLE), inputs().requires_grad_()
    if more == "lengths":
        options = options | {"lengths": torch.tensor([STEPS, 0, 2, 3])}
    elif more == "resets":
        options = options | {"reset": torch.rand(STEPS, BATCH) < 0.3}

    def run():
        outputs = outputs_of(cell, x, **options)
        return [outputs.detach(), *torch.autograd.grad(outputs.pow(2).sum(), [x, *cell.parameters()])]

    expected = run()
    kernel._counted.cache_clear()
    with torch.device("meta"):
        found = run()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_gradients_are_those_of_finite_differences():
    cell = make("constants and single numbers", DOUBLE)
    x = random(4, 2, D, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: outputs_of(cell, v).sum(-1), [x])


# ---- what memory looks like


def test_inputs_and_states_need_not_be_contiguous():
    cell = make("lstm", DOUBLE)
    x = random(BATCH, D, STEPS, seed=1).permute(2, 0, 1)
    state = tuple(random(H, BATCH, seed=s).t() for s in (2, 3))
    found = unroll(cell, x, state, engine="native")
    expected = unroll(cell, x.contiguous(), tuple(s.contiguous() for s in state), engine="native")
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_state_may_stand_for_all_rows_by_expansion():
    def run(engine):
        cell, start = make(NAME, DOUBLE), random(1, H, seed=2).requires_grad_()
        outputs, _ = unroll(cell, inputs(), start.expand(BATCH, H), engine=engine)
        return torch.autograd.grad(outputs.pow(2).sum(), start)

    assert_near(*both(run), 1e-10)


def test_what_was_given_is_left_as_it_was():
    cell, x, state = make("lstm", DOUBLE), inputs(), tuple(random(BATCH, H, seed=s) for s in (2, 3))
    before = copy.deepcopy((x, state, dict(cell.named_parameters())))
    outputs, _ = unroll(cell, x.requires_grad_(), state, engine="native", lengths=[6, 0, 3, 1])
    outputs.sum().backward()
    torch.testing.assert_close((x.detach(), state), (before[0], before[1]), rtol=0, atol=0)
    torch.testing.assert_close(dict(cell.named_parameters()), before[2], rtol=0, atol=0)


def test_outputs_may_be_written_over_where_no_gradient_is_asked_for():
    cell = make(NAME, DOUBLE)
    with torch.no_grad():
        first = outputs_of(cell, inputs())
        kept = first.clone()
        outputs_of(cell, inputs(seed=2)).zero_()
    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_outputs_written_over_before_backward_are_torch_s_own_error():
    cell = make("elman", DOUBLE)
    outputs = outputs_of(cell, inputs())
    outputs.data.add_(0)  # unseen, and harmless
    outputs.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


# ---- types


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_weights_beside_narrow_inputs_keep_a_float32_state(dtype):
    cell = make(NAME, SINGLE).to(dtype)
    x = inputs(dtype).requires_grad_()
    outputs, last = unroll(cell, x, engine="native")
    assert (outputs.dtype, last.dtype) == (dtype, SINGLE)
    outputs.float().pow(2).sum().backward()
    assert {x.grad.dtype, *(p.grad.dtype for p in cell.parameters())} == {dtype}
    expected, _ = unroll(copy.deepcopy(cell).double(), x.detach().double(), engine="eager")
    torch.testing.assert_close(outputs.double(), expected, rtol=0.03, atol=0.03)


def test_a_narrow_state_is_widened():
    cell, state = make(NAME, SINGLE), random(BATCH, H, seed=4).bfloat16()
    found = unroll(cell, inputs(SINGLE), state, engine="native")
    torch.testing.assert_close(found, unroll(cell, inputs(SINGLE), state.float(), engine="native"), rtol=0, atol=0)


@pytest.mark.parametrize(("weights", "given"), [(SINGLE, DOUBLE), (DOUBLE, SINGLE)], ids=["finer", "coarser"])
def test_types_that_do_not_go_together_are_refused_as_before(weights, given):
    with pytest.raises(ostinato.ConfigError, match="The cell's weights are"):
        outputs_of(make(NAME, weights), inputs(given))


# ---- numbers that are none


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", [NAME, "layer norms", "softmax, and a product of it", "time"])
def test_what_one_row_holds_never_reaches_another(name, poison):
    cell = make(name, SINGLE)
    x = inputs(SINGLE)
    spoiled = x.clone()
    spoiled[1, 2] = poison
    times = {"dt": random(STEPS, BATCH, seed=9, dtype=SINGLE).abs()} if cell.uses_dt else {}
    others = [0, 1, 3]

    def run(values):
        values = values.clone().requires_grad_()
        outputs, _ = unroll(cell, values, engine="native", **times)
        (gradient,) = torch.autograd.grad(outputs[:, others].pow(2).sum(), values)
        return outputs.detach()[:, others], gradient[:, others]

    torch.testing.assert_close(run(spoiled), run(x), rtol=0, atol=0)


def test_a_row_that_is_spoiled_stays_spoiled():
    x = inputs(SINGLE)
    x[1, 2] = torch.nan
    outputs = outputs_of(make(NAME, SINGLE), x)
    assert outputs[0].isfinite().all()
    assert outputs[1:, 2].isnan().all()


@pytest.mark.parametrize("scale", [1e30, 1e-38, 1e-42, 0.0])
@pytest.mark.parametrize("name", [NAME, "lstm", "layer norms", "softmax, and a product of it"])
def test_huge_and_tiny_numbers_give_what_eager_gives(name, scale):
    def run(engine):
        cell, x = make(name, SINGLE), (inputs(SINGLE) * scale).requires_grad_()
        outputs = outputs_of(cell, x, engine)
        return [outputs.detach(), *torch.autograd.grad(outputs.pow(2).sum(), list(cell.parameters()))]

    found, expected = both(run)
    known = {k: v.isfinite() for k, v in expected.items()}
    assert_near(
        {k: v.where(known[k], 0) for k, v in found.items()},
        {k: v.where(known[k], 0) for k, v in expected.items()},
        2e-5,
    )
    assert found[0].isfinite().all()


def test_the_way_denormal_numbers_are_treated_outside_is_left_as_it_was():
    tiny = torch.tensor([1e-42])
    outputs_of(make(NAME, SINGLE), inputs(SINGLE))
    assert (tiny * 0.5).item() > 0


# ---- sums in pieces, and layers


def test_what_is_computed_again_in_pieces_is_what_is_computed_at_once(monkeypatch):
    def run():
        cell, x = make("lstm", DOUBLE), inputs().requires_grad_()
        reset = torch.zeros(STEPS, BATCH, dtype=torch.bool)
        reset[3, 0] = reset[4] = True
        options = {"lengths": [6, 0, 5, 2], "reset": reset, "recompute": True}
        start = tuple(random(BATCH, H, seed=s).requires_grad_() for s in (2, 3))
        outputs, _ = unroll(cell, x, start, engine="native", **options)
        return dict(enumerate(torch.autograd.grad(outputs.pow(2).sum(), [x, *start, *cell.parameters()])))

    at_once = run()
    monkeypatch.setattr(engine, "AGAIN", 1)
    assert_near(run(), at_once, 1e-12)


def test_layers_in_two_directions_run_compiled():
    def run(engine):
        torch.manual_seed(0)
        layer = Recurrent("gru", D, H, 2, bidirectional=True, engine=engine).double()
        x = inputs().requires_grad_()
        outputs, _ = layer(x, lengths=torch.tensor([6, 0, 3, 5]))
        return [outputs, *torch.autograd.grad(outputs.pow(2).sum(), [x, *layer.parameters()])]

    assert_near(*both(run), 1e-10)
