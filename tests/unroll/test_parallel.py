"""The parallel engine: scans give what the loop gives, for whatever is linear in the state."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrences import LearnedInitialState, leaves, numbers
from torch import Tensor

import ostinato
from ostinato import CATALOGUE, EquationCell, unroll
from ostinato.equations.linear import linear
from ostinato.unroll.parallel import scan
from ostinato.unroll.parallel.engine import scans

D = H = 5

TEXTS = {
    "a gate": "z = sigmoid(W_z @ x + b_z)\nh' = (1 - z) * h + z * (W @ x + b)",
    "a turn": """
        a  = exp(-exp(v)) * cos(w)
        b  = exp(-exp(v)) * sin(w)
        s' = a * s - b * t + B @ x
        t' = b * s + a * t + C @ x
        y  = V @ s' - U @ t'
    """,
    "a turn that is gated": """
        a  = sigmoid(A @ x)
        s' = a * s - (1 - a) * t + B @ x
        t' = 0.5 * s + C @ x
        y  = V @ s' - U @ t'
    """,
    "three states in a ring": "a' = 0.9 * c + x\nb' = 0.9 * a\nc' = 0.9 * b + sigmoid(W @ x) * c",
    "the input before": """
        f  = sigmoid(W_f @ x + V_f @ p)
        p' = x
        c' = f * c + (1 - f) * tanh(W @ x + V @ p)
        h' = sigmoid(W_o @ x) * tanh(c')
        y  = h' * p
    """,
    "a chain": "s' = 0.9 * s + W @ x\nc' = sigmoid(s + s') * c + s\nh' = tanh(c') * c + x",
    "a matrix": "h' = W @ h + U @ x + b",
    "a matrix, two states and a mean": """
        c' = 0.3 * c + 0.3 * (U_c @ h) + x
        h' = 0.3 * (W @ h) + 0.3 * (V @ c) + 0.1 * mean(h) + K @ x + b
    """,
    "states of two sizes": "c : 2*H\nh' = 0.4 * (W @ c) + B @ x\nc' = 0.4 * (V @ h) + 0.1 * c",
    "a choice": "h' = where(x > 0, 0.9 * h, x)",
    "time": "h' = exp(-softplus(w) * dt) * h + x * dt",
    "a state passed on": "c' = h\nh' = 0.5 * c + x",
    "the output before the step": "h' = 0.5 * h + W @ x\ny = h * x",
    "no memory": "h' = W @ x",
    "a constant gate and a learned number": "g : scalar\nk = 0.7\nh' = k * h + g * x",
    "an output that is smaller": "y : P\nh' = sigmoid(w) * h + x\ny = V @ h' + b",
}
CALLS = {
    "plain": {"steps": 50, "batch": 4},
    "one row": {"steps": 70, "batch": 1},
    "no steps": {"steps": 0, "batch": 3},
    "no rows": {"steps": 5, "batch": 0},
    "one step": {"steps": 1, "batch": 3},
    "several levels": {"steps": 530, "batch": 1},
    "whole chunks": {"steps": 64, "batch": 2},
    "lengths": {"steps": 40, "batch": 6, "lengths": [7, 0, 40, 1, 0, 33]},
    "no length": {"steps": 4, "batch": 2, "lengths": [0, 0]},
    "some rows of full length": {"steps": 20, "batch": 3, "lengths": [20, 0, 20]},
    "resets": {"steps": 40, "batch": 6, "resets": True},
    "resets and lengths in reverse": {
        "steps": 40, "batch": 6, "lengths": [7, 0, 40, 1, 0, 33], "resets": True, "reverse": True,
    },
    "reverse": {"steps": 40, "batch": 3, "reverse": True},
}  # fmt: skip
TOLERANCE = {torch.float64: {"rtol": 1e-9, "atol": 1e-10}, torch.float32: {"rtol": 1e-5, "atol": 1e-5}}
LINEAR_CELLS = [
    name
    for name, info in CATALOGUE.items()
    if issubclass(info.kind, EquationCell) and not isinstance(linear(info.build(D, H).program), str)
]
"""Those of the catalogue."""


def make(name: str, dtype: torch.dtype = torch.float64) -> EquationCell:
    """Return a cell of the catalogue or of `TEXTS`, always the same numbers; none of its states grows."""
    with torch.random.fork_rng():  # what is frozen is drawn
        torch.manual_seed(0)
        if name in CATALOGUE:
            cell = CATALOGUE[name].build(D, H).to(dtype)
        else:
            cell = ostinato.cell(TEXTS[name], D, H, dtype=dtype, **({"proj_size": 3} if "P" in TEXTS[name] else {}))
    with torch.no_grad():
        for k, parameter in enumerate(cell.parameters()):
            scale = 0.6 / parameter.shape[-1] ** 0.5 if parameter.dim() == 2 else 0.5
            parameter.copy_(numbers(parameter.numel(), seed=k).view_as(parameter) * scale)
    return cell


def results(cell: EquationCell, engine: str, call: dict, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Return all that a call gives, and the gradients of a fixed weighting of it."""
    steps, batch = call["steps"], call["batch"]
    inputs = numbers(steps, batch, D, seed=50, dtype=dtype).requires_grad_()
    sizes = cell.definition.states.values()
    start = [numbers(batch, n, seed=60 + k, dtype=dtype).requires_grad_() for k, n in enumerate(sizes)]
    options = {"lengths": torch.tensor(call["lengths"])} if "lengths" in call else {}
    if call.get("resets"):
        options["reset"] = (torch.arange(steps)[:, None] * 3 + torch.arange(batch)) % 7 == 0
    if cell.uses_dt:
        options["dt"] = numbers(steps, batch, seed=70, dtype=dtype).abs() + 0.1
    options |= {"reverse": call.get("reverse", False), "return_states": True}
    made = leaves(unroll(cell, inputs, cell.definition.pack_state(start), engine=engine, **options))
    loss = sum((t * numbers(*t.shape, seed=80 + k).to(dtype)).sum() for k, t in enumerate(made))
    sources = [inputs, *start, *cell.parameters()]
    found = torch.autograd.grad(loss, sources, allow_unused=True, materialize_grads=True)
    return [t.detach() for t in made] + list(found)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", [*TEXTS, *LINEAR_CELLS])
def test_scans_give_the_numbers_and_gradients_of_the_loop(name, call):
    found, expected = (results(make(name), engine, CALLS[call]) for engine in ("parallel", "eager"))
    torch.testing.assert_close(found, expected, **TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", [*TEXTS, *LINEAR_CELLS])
def test_in_single_precision_too(name):
    call = {"steps": 100, "batch": 3}
    found, expected = (results(make(name, torch.float32), e, call, torch.float32) for e in ("parallel", "eager"))
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, other.abs().max().item())
        torch.testing.assert_close(one / scale, other / scale, **TOLERANCE[torch.float32])


LONG = 65_536


def states_by_hand(name: str, inputs: Tensor) -> Tensor:
    """Return the outputs of a long sequence of one row, step by step in double precision, for one of two cells."""
    cell = make(name)
    with torch.no_grad():
        return unroll(cell, inputs.double(), engine="eager")[0]


@pytest.mark.parametrize("name", ["a gate", "a turn", "a matrix"])
def test_a_long_sequence_stays_as_near_as_single_precision_is(name):
    inputs = numbers(LONG, 1, D, seed=3)
    expected = states_by_hand(name, inputs)
    outputs, _ = unroll(make(name, torch.float32), inputs.float(), engine="parallel")
    scale = expected.abs().max()
    assert ((outputs - expected).abs().max() / scale).item() < 1e-5


@pytest.mark.parametrize("name", ["a gate", "a turn"])
def test_gradients_of_a_long_sequence_stay_as_near(name):
    def gradients(dtype: torch.dtype) -> list[Tensor]:
        inputs = numbers(LONG, 1, D, seed=3, dtype=dtype).requires_grad_()
        cell = make(name, dtype)
        outputs, last = unroll(cell, inputs, engine="parallel")
        loss = (outputs * numbers(LONG, 1, D, seed=4, dtype=dtype)).sum() + sum(leaf.sum() for leaf in leaves(last))
        return list(torch.autograd.grad(loss, [inputs, *cell.parameters()]))

    for one, other in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        assert ((one - other).abs().max() / other.abs().max()).item() < 1e-5


def test_gates_that_close_for_long_leave_no_trace():
    """A product of gates fades below the smallest number many times over a sequence; nothing is divided by it."""
    cell = ostinato.cell("h' = sigmoid(x) * h + x", 1, 1)
    inputs = torch.full((4096, 1, 1), -30.0)
    inputs[1000:1010] = 20.0
    found, expected = (unroll(cell, inputs, engine=engine)[0] for engine in ("parallel", "eager"))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_nan_reaches_later_steps_of_its_row_alone_and_no_step_behind_a_reset():
    cell = make("a gate")
    inputs = numbers(100, 3, D)
    clean, _ = unroll(cell, inputs, engine="parallel")
    inputs[40, 1] = torch.nan
    reset = torch.zeros(100, 3, dtype=torch.bool)
    reset[70, 1] = True
    outputs, _ = unroll(cell, inputs, reset=reset, engine="parallel")
    assert outputs[40:70, 1].isnan().all()
    assert not outputs[70:, 1].isnan().any()
    torch.testing.assert_close(outputs[:40], clean[:40])
    torch.testing.assert_close(outputs[:, [0, 2]], clean[:, [0, 2]])


def test_an_infinite_gradient_stops_at_a_reset():
    cell = make("a gate")
    inputs = numbers(60, 1, D).requires_grad_()
    reset = torch.zeros(60, 1, dtype=torch.bool)
    reset[30] = True
    outputs, _ = unroll(cell, inputs, reset=reset, engine="parallel")
    weights = torch.ones_like(outputs)
    weights[50] = torch.inf
    (found,) = torch.autograd.grad(outputs, inputs, weights)
    assert found[:30].isfinite().all()
    assert not found[40].isfinite().all()


def test_the_states_stay_in_single_precision_under_narrow_inputs():
    cell = make("a gate", torch.float32).bfloat16()
    outputs, last = unroll(cell, numbers(40, 2, D, dtype=torch.bfloat16), engine="parallel")
    expected, _ = unroll(cell.double(), numbers(40, 2, D, dtype=torch.bfloat16).double(), engine="eager")
    assert (outputs.dtype, last.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(outputs.double(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", ["a gate", "a matrix"])
def test_autocast_leaves_the_scan_in_single_precision(name):
    cell, inputs = make(name, torch.float32), numbers(40, 2, D, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = unroll(cell, inputs, engine="parallel")
    assert last.dtype == torch.float32
    torch.testing.assert_close(outputs, unroll(cell, inputs, engine="eager")[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", ["a gate", "a turn", "a matrix", "resets"])
def test_the_gradient_of_a_gradient_is_right(name, monkeypatch):
    monkeypatch.setattr(scan, "CHUNK", 2)
    cell = make("a gate" if name == "resets" else name)
    reset = (torch.arange(7)[:, None] + torch.arange(2)) % 3 == 0 if name == "resets" else None
    inputs = numbers(7, 2, D).requires_grad_()

    def run(x: Tensor) -> Tensor:
        return unroll(cell, x, engine="parallel", reset=reset)[0]

    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_a_learned_start_gets_its_gradient_at_resets():
    cell = LearnedInitialState(make("a gate"))
    inputs = numbers(30, 3, D)
    reset = (torch.arange(30)[:, None] + torch.arange(3)) % 11 == 0
    found = []
    for engine in ("parallel", "eager"):
        outputs, _ = unroll(cell, inputs, reset=reset, engine=engine)
        found.append(torch.autograd.grad((outputs**2).sum(), list(cell.parameters())))
    torch.testing.assert_close(*found, **TOLERANCE[torch.float64])


def test_one_definition_is_read_once():
    assert scans(make("a gate").definition) is scans(make("a gate").definition)


@st.composite
def linear_texts(draw) -> str:
    """Draw equations of one to three states, each new one a sum of gated old ones."""
    names = "abc"[: draw(st.integers(1, 3))]
    gates = ["sigmoid(W_{0}{1} @ x)", "0.5", "tanh(v_{0}{1})", "cos(x)", "where(x > 0, 0.7, w_{0}{1})"]
    lines = []
    for name in names:
        terms = [draw(st.sampled_from(["x", "tanh(W_{0} @ x + b_{0})", "x * x", "u_{0} + x"])).format(name)]
        for other in names:
            if draw(st.booleans()):
                gate = draw(st.sampled_from(gates)).format(name, other)
                terms.append(f"{draw(st.sampled_from(['0.4', '-0.3']))} * {gate} * {other}")
        lines.append(f"{name}' = {' + '.join(terms)}")
    lines.append(f"y = {draw(st.sampled_from(['tanh({0})', '{0}', '{0} * x']))}".format(f"{names[-1]}'"))
    return "\n".join(lines)


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(text=linear_texts(), call=st.sampled_from(sorted(CALLS)))
def test_random_equations_that_are_linear_give_the_numbers_of_the_loop(text, call):
    cell = ostinato.cell(text, D, D, dtype=torch.float64)
    with torch.no_grad():
        for k, parameter in enumerate(cell.parameters()):
            parameter.copy_(numbers(parameter.numel(), seed=k).view_as(parameter) * 0.5)
    found, expected = (results(cell, engine, CALLS[call]) for engine in ("parallel", "eager"))
    torch.testing.assert_close(found, expected, **TOLERANCE[torch.float64])


CAPTURED = {
    "plain": {},
    "in reverse": {"reverse": True},
    "lengths": {"lengths": torch.tensor([3, 20, 0])},
    "resets": {"reset": (torch.arange(20)[:, None] + torch.arange(3)) % 6 == 0},
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's, about its own doing
@pytest.mark.parametrize("call", CAPTURED.values(), ids=CAPTURED)
def test_a_graph_that_torch_compile_captures_gives_the_same(call):
    cell, inputs = make("a gate"), numbers(20, 3, D).requires_grad_()
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: unroll(cell, x, engine="parallel", **call)[0], backend="aot_eager")
    outputs = compiled(inputs)
    expected = unroll(cell, inputs, engine="eager", **call)[0]
    torch.testing.assert_close(outputs, expected, **TOLERANCE[torch.float64])
    found, wanted = (torch.autograd.grad((y**2).sum(), [inputs, *cell.parameters()]) for y in (outputs, expected))
    torch.testing.assert_close(found, wanted, **TOLERANCE[torch.float64])
