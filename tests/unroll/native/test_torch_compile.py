"""The native engine in graphs that `torch.compile` and `torch.export` capture: whole, silent, the same numbers."""

import functools
import io
import math

import pytest
import torch
from torch.library import opcheck
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

import ostinato
from ostinato import ConfigError, EngineError, LanguageModel, Recurrent
from ostinato.unroll.native import operation
from ostinato.unroll.native.compiler import why_not

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason="no C++ compiler"),
    # torch's compiler meets its own deprecations
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]

of_two_graphs = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's, about its own doing

D, H, STEPS, ROWS = 5, 7, 6, 3
NORMED = """
    u  = sigmoid(layer_norm(W_u @ x + U_u @ h + b_u))
    h' = (1 - u) * h + u * tanh(W @ x + U @ h + b)
    y  = V @ h' + b_y
"""
RESET_BEFORE = """
    f  = sigmoid(W_f @ x + U_f @ h + b_f)
    g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
    h' = (1 - rate * f) * h + rate * f * g
    rate = 0.5
"""
TIMED = """
    a  = exp(-dt)
    h' = a * h + (1 - a) * tanh(W @ x + U @ h + b)
"""
LENGTHS = torch.tensor([4, 0, 6])


@pytest.fixture(autouse=True)
def _captured_anew():
    torch._dynamo.reset()
    torch.manual_seed(0)


def whole(model, backend="aot_eager", **settings):
    return torch.compile(model, fullgraph=True, backend=backend, **settings)


def layer(cell="gru", **settings):
    return Recurrent(cell, D, H, **{"engine": "native", **settings})


def numbers(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype)


def resets():
    marks = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    marks[0, 0] = marks[2, 1] = True
    marks[4] = True
    return marks


def everything(model, parameters, inputs, *args, **options):
    """Return all that a call gives, and the gradients of a sum that every part of it has a share in."""
    torch.manual_seed(1)  # dropout's
    inputs = inputs.detach().requires_grad_()
    made = pytree.tree_leaves(model(inputs, *args, **options))
    total = sum(((k + 1) * value.float() ** 2).sum() for k, value in enumerate(made))
    return made, torch.autograd.grad(total, [inputs, *parameters], allow_unused=True)


def assert_compiling_changes_nothing(model, inputs, *args, rtol=1e-5, atol=1e-5, **options):
    parameters = list(model.parameters())
    found = everything(whole(model), parameters, inputs, *args, **options)
    expected = everything(model, parameters, inputs, *args, **options)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("cell", ["gru", "lstm", "elman", NORMED, RESET_BEFORE])
def test_any_cell_is_one_graph(cell):
    assert_compiling_changes_nothing(layer(cell), numbers(STEPS, ROWS, D))


@pytest.mark.parametrize("rows", [2, 20])
def test_products_with_the_input_may_stand_before_the_loop_or_in_it(rows):
    assert_compiling_changes_nothing(layer(NORMED), numbers(STEPS, rows, D))


@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"residual": True}, {"initial_state": "learned"}])
def test_two_layers_in_two_directions_are_one_graph(settings):
    model = layer("lstm", num_layers=2, bidirectional=True, **settings)
    assert_compiling_changes_nothing(model, numbers(STEPS, ROWS, D))


def test_dropout_between_layers_is_drawn_as_without():
    assert_compiling_changes_nothing(layer(num_layers=2, dropout=0.5), numbers(STEPS, ROWS, D))


@pytest.mark.parametrize("cell", ["gru", "lstm", NORMED])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("reset", [False, True])
def test_carried_states_lengths_and_resets_are_in_the_graph(cell, lengths, reset):
    model = layer(cell, bidirectional=True)
    state = pytree.tree_map(torch.randn_like, model.initial_state(ROWS))
    options = {"lengths": lengths, "reset": resets() if reset else None}
    assert_compiling_changes_nothing(model, numbers(STEPS, ROWS, D), state, **options)


def test_resets_go_back_to_a_learned_state():
    model = layer("lstm", initial_state="learned")
    assert_compiling_changes_nothing(model, numbers(STEPS, ROWS, D), lengths=LENGTHS, reset=resets())


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_states_of_every_step_are_returned(lengths):
    model = layer("lstm", bidirectional=True)
    assert_compiling_changes_nothing(model, numbers(STEPS, ROWS, D), lengths=lengths, return_states=True)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_the_time_since_the_last_step_is_that_of_the_direction(lengths):
    model = layer(TIMED, bidirectional=True)
    assert_compiling_changes_nothing(model, numbers(STEPS, ROWS, D), lengths=lengths, dt=torch.rand(STEPS, ROWS))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.bfloat16, 2e-2)])
def test_other_types_agree(dtype, tolerance):
    model = layer(NORMED).to(dtype)
    inputs = numbers(STEPS, ROWS, D, dtype=dtype)
    assert_compiling_changes_nothing(model, inputs, lengths=LENGTHS, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("narrowed", ["weights", "autocast"])
def test_products_take_bfloat16_in_a_graph_where_they_do_outside_one(narrowed, lengths):
    model, inputs = layer(NORMED), numbers(STEPS, ROWS, D)
    if narrowed == "weights":
        model, inputs = model.bfloat16(), inputs.bfloat16()
    parameters = list(model.parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=narrowed == "autocast"):
        found = everything(whole(model), parameters, inputs, lengths=lengths)
        expected = everything(model, parameters, inputs, lengths=lengths)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_what_was_not_kept_is_computed_again():
    cell = ostinato.cell(RESET_BEFORE, D, H)
    model = functools.partial(ostinato.unroll, cell, recompute=True)
    parameters, inputs = list(cell.parameters()), numbers(STEPS, ROWS, D)
    found = everything(whole(model), parameters, inputs, lengths=LENGTHS)
    torch.testing.assert_close(found, everything(model, parameters, inputs, lengths=LENGTHS))


@pytest.mark.parametrize(("steps", "rows"), [(0, 3), (5, 0), (1, 1)])
def test_nothing_or_next_to_nothing_to_run(steps, rows):
    model, inputs = layer(num_layers=2), numbers(steps, rows, D)
    state = tuple(numbers(rows, H) for _ in range(2))
    torch.testing.assert_close(whole(model)(inputs, state), model(inputs, state))


def test_rows_without_steps_give_back_their_state_and_its_gradient():
    state = numbers(ROWS, H).requires_grad_()
    none = torch.zeros(ROWS, dtype=torch.int64)
    outputs, last = whole(layer())(numbers(STEPS, ROWS, D), (state,), lengths=none)
    assert not outputs.any()
    assert torch.equal(last[0], state)
    (gradient,) = torch.autograd.grad(last[0].sum(), state)
    assert torch.equal(gradient, torch.ones_like(state))


def test_what_stands_beyond_a_length_reaches_no_gradient():
    model, inputs = layer(NORMED), numbers(STEPS, ROWS, D)
    inputs[4:, 0] = math.nan
    inputs[:, 1] = math.inf
    made, gradients = everything(whole(model), list(model.parameters()), inputs, lengths=LENGTHS)
    assert all(value.isfinite().all() for value in (*made, *gradients))


def test_lengths_that_do_not_fit_are_an_error_when_the_graph_runs():
    with pytest.raises(ConfigError, match="values from 1 to 9"):
        whole(layer())(numbers(STEPS, ROWS, D), lengths=torch.tensor([1, 9, 2]))


# ---- what a graph holds


@pytest.fixture
def loops(monkeypatch):
    """Whether each loop that ran saved what a backward pass needs."""
    forward, saved = operation.LoopCall.forward, []

    def counted(call, tensors, *, save):
        saved.append(save)
        return forward(call, tensors, save=save)

    monkeypatch.setattr(operation.LoopCall, "forward", counted)
    return saved


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("options", [{}, {"lengths": LENGTHS}, {"reset": resets()}])
def test_auto_takes_the_loop_where_a_graph_is_captured(cell, options, loops):
    whole(layer(cell, engine="auto"))(numbers(STEPS, ROWS, D), **options)
    assert loops == [True]


def test_a_call_without_gradients_saves_nothing(loops):
    with torch.no_grad():
        whole(layer(num_layers=2))(numbers(STEPS, ROWS, D))
    assert loops == [False, False]


def test_other_numbers_of_steps_and_rows_need_no_other_graph():
    graphs = []

    def counted(graph, inputs):
        graphs.append(graph)
        return graph.forward

    model = whole(layer(num_layers=2), counted, dynamic=True)
    for steps, rows in ((6, 3), (9, 4), (20, 11)):
        model(numbers(steps, rows, D))
    assert len(graphs) == 1


def test_the_gradient_of_a_loop_that_saved_nothing_says_why_there_is_none(monkeypatch):
    loop = operation.loop
    monkeypatch.setattr(operation, "loop", lambda tensors, save, *settings: loop(tensors, False, *settings))
    outputs, *_ = run_operation("gru")
    with pytest.raises(EngineError, match="save nothing"):
        outputs.sum().backward()


def run_operation(cell, *, lengths=None, reset=None, **options):
    """Run the operations as a graph would, outside of one."""
    bound = (ostinato.cell(cell, D, H) if "=" in cell else ostinato.GRU(D, H)).bind()
    inputs = numbers(STEPS, ROWS, D).requires_grad_()
    state = bound.initial_state(ROWS)
    return operation.run(bound, inputs, state, operation.Options(**options), lengths=lengths, reset=reset)


class Watched(TorchDispatchMode):
    """Keeps the calls of our own operations."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "ostinato":
            self.calls.append((function, args))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("gru", {}),
        ("gru", {"lengths": LENGTHS, "reverse": True, "return_states": True}),
        ("gru", {"lengths": torch.zeros(ROWS, dtype=torch.int64)}),
        ("gru", {"recompute": True}),
        (NORMED, {"lengths": LENGTHS}),
        (RESET_BEFORE, {"reset": resets(), "lengths": LENGTHS}),
    ],
)
@pytest.mark.parametrize("name", ["arrange", "loop", "loop_backward"])
def test_torch_finds_nothing_wrong_with_an_operation(name, cell, options):
    with Watched() as watched:
        outputs, last, _ = run_operation(cell, **options)
        (outputs.sum() + sum(leaf.sum() for leaf in last)).backward()
    for function, args in watched.calls:
        if function.name() == f"ostinato::{name}":
            opcheck(function, pytree.tree_map_only(torch.Tensor, alone, args))
            if name == "loop":
                tensors, *rest = args
                opcheck(function, ([alone(t).requires_grad_() for t in tensors], *rest))


def alone(tensor):
    """Return the numbers of a tensor without where they come from."""
    return tensor.detach().clone()


# ---- where graphs are used


def test_inductor_runs_it():
    model = layer(NORMED, num_layers=2)
    parameters, inputs = list(model.parameters()), numbers(STEPS, ROWS, D)
    found = everything(whole(model, "inductor"), parameters, inputs, lengths=LENGTHS)
    expected = everything(model, parameters, inputs, lengths=LENGTHS)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_language_model_learns_as_it_does_without(cell):
    model = LanguageModel(11, cell, hidden_size=H)
    tokens = torch.randint(11, (3, STEPS, ROWS))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = losses(model, whole(model), tokens)
    model.load_state_dict(before)
    torch.testing.assert_close(found, losses(model, model, tokens))


def losses(model, scores, tokens):
    """Return the loss of every segment of a stream, one step of gradient descent after each."""
    optimizer, state, found = torch.optim.SGD(model.parameters(), 0.5), None, []
    for segment in tokens:
        given, state = scores(segment[:-1], state, reset=segment[:-1] == 0)
        loss = torch.nn.functional.cross_entropy(given.flatten(0, 1), segment[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = pytree.tree_map(torch.Tensor.detach, state)
        found.append(loss.detach())
    return found


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("options", [{}, {"lengths": LENGTHS}])
def test_an_exported_model_is_saved_and_run_again(strict, options):
    model, inputs = layer("lstm", num_layers=2, bidirectional=True).eval(), numbers(STEPS, ROWS, D)
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (inputs,), options, strict=strict), file)
    file.seek(0)
    again = torch.export.load(file).module()
    torch.testing.assert_close(again(inputs, **options), model(inputs, **options))


def test_the_layers_that_stand_in_for_torchs_own_are_one_graph():
    assert_compiling_changes_nothing(ostinato.nn.LSTM(D, H, 2, bidirectional=True), numbers(STEPS, ROWS, D))


# ---- other engines, other cells


@pytest.mark.parametrize("engine", ["eager", "vendor"])
def test_other_engines_are_in_the_graph(engine):
    assert_compiling_changes_nothing(layer("lstm", engine=engine), numbers(STEPS, ROWS, D))


@of_two_graphs
@pytest.mark.parametrize("engine", ["eager", "vendor"])
@pytest.mark.parametrize("options", [{"lengths": LENGTHS}, {"reset": resets()}])
def test_other_engines_run_beside_the_graph_where_they_look_at_numbers(engine, options):
    model, inputs = layer("lstm", engine=engine), numbers(STEPS, ROWS, D)
    found = torch.compile(model, backend="aot_eager")(inputs, **options)
    torch.testing.assert_close(found, model(inputs, **options))


def test_one_graph_for_an_engine_that_looks_at_numbers_is_refused_with_the_way_out():
    with pytest.raises(torch._dynamo.exc.Unsupported, match="engine='native' leaves it to its operation"):
        whole(layer("lstm", engine="eager"))(numbers(STEPS, ROWS, D), lengths=LENGTHS)


class Plain(ostinato.Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.read = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, self.hidden_size, device=device, dtype=dtype)

    def step(self, x, state):
        state = torch.tanh(self.read(torch.cat([x, state], -1)))
        return state, state


def test_the_step_of_a_plain_cell_goes_into_the_graph_as_it_is():
    assert_compiling_changes_nothing(layer(Plain(D, H), engine="auto"), numbers(STEPS, ROWS, D))


@of_two_graphs
def test_the_loop_compiled_from_a_plain_cell_runs_beside_the_graph():
    model, inputs = layer(Plain(D, H)), numbers(STEPS, ROWS, D)
    torch.testing.assert_close(torch.compile(model, backend="aot_eager")(inputs), model(inputs))
