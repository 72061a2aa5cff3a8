"""The plan: which engine runs a call, and the reason for each that was passed over, as text."""

from importlib import import_module

import pytest
import torch
from recurrences import D, H, engines_of, make, numbers
from torch.autograd import forward_ad

import ostinato
from ostinato import LSTM, EngineError, plan, unroll
from ostinato.cells.gated.lstm import ProjectedLSTM
from ostinato.unroll.plan import Call, Plan, call_of, make_plan, why_not_vendor

INPUTS = numbers(4, 2, D)
BOUND = make("lstm").bind()
NO_COMPILER = "no C++ compiler found (looked for c++, g++, clang++ on PATH)"


@pytest.fixture(autouse=True)
def compiler(monkeypatch):
    """A machine with a compiler; the test may take it away by calling what is given here with a reason."""

    def lacks(reason: str | None) -> None:
        monkeypatch.setattr(import_module("ostinato.unroll.plan"), "why_no_compiler", lambda: reason)

    lacks(None)
    return lacks


WORSE = {
    "elman": "torch takes rnn_tanh one operation at a time on a CPU",
    "gru": "torch takes gru one operation at a time on a CPU",
    "lstm": "torch's lstm is slower on a CPU, but for few rows and large matrices",
    "lstm without bias": "torch's lstm is slower on a CPU, but for few rows and large matrices",
    "learned start": "torch's lstm is slower on a CPU, but for few rows and large matrices",
}


@pytest.mark.parametrize(("name", "reason"), WORSE.items())
def test_a_compiled_loop_runs_what_torch_has_a_slower_kernel_for(name, reason):
    assert str(plan(make(name))) == f"native (not vendor: {reason})"


LARGE = LSTM(512, 700)
"""Of more than two million numbers."""


@pytest.mark.parametrize(
    ("cell", "rows", "uneven", "engine"),
    [
        (LARGE, 31, False, "vendor"),
        (LARGE, 32, False, "native"),
        (LARGE, None, False, "native"),
        (LARGE, 4, True, "native"),
        (LSTM(128, 128), 4, False, "native"),
    ],
    ids=["few rows", "many rows", "rows left open", "uneven", "small"],
)
def test_torch_s_lstm_is_taken_for_few_rows_and_large_matrices(cell, rows, uneven, engine):
    assert make_plan(cell.bind(), Call(rows=rows, uneven=uneven)).engine == engine


def test_a_captured_graph_takes_a_compiled_loop():
    chosen = make_plan(LARGE.bind(), Call(rows=4, captured=True))
    assert chosen == Plan("native", (("vendor", "a captured graph takes torch's kernels apart, step by step"),))


KEEPS_ALL = "it keeps whatever its backward pass needs, and only a compiled loop can recompute"


@pytest.mark.parametrize("name", ["lstm", "own text"])
def test_recomputing_takes_a_compiled_loop(name):
    assert make_plan(make(name).bind(), Call(recompute=True)) == Plan("native")


@pytest.mark.parametrize("engine", ["vendor", "parallel", "eager"])
def test_recomputing_by_another_engine_is_an_error(engine):
    with pytest.raises(EngineError, match=KEEPS_ALL):
        make_plan(make("lstm").bind(), Call(recompute=True), engine)


def test_recomputing_without_a_compiler_is_an_error(compiler):
    compiler(NO_COMPILER)
    with pytest.raises(EngineError, match="no C\\+\\+ compiler found"):
        make_plan(make("lstm").bind(), Call(recompute=True))


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_without_a_compiler_the_vendor_runs_whatever_torch_has_a_kernel_for(name, compiler):
    compiler(NO_COMPILER)
    assert str(plan(make(name))).startswith("vendor (not native: no C++ compiler found")


REASONS = {
    "plain": ("plain with dt", {}, "a plain cell has no equations to compare"),
    "own equations": ("own text", {}, "torch has no kernel for these equations"),
    "states": ("lstm", {"return_states": True}, "torch's kernels return the last state only"),
    "bfloat16": (
        "lstm",
        {"dtype": torch.bfloat16},
        "torch's kernels carry the state in the type of the compute, not in float32",
    ),
    "mixed types": (
        "lstm",
        {"dtype": torch.float32},
        "the input is torch.float32 and the weights are torch.float64",
    ),
}
NOT_LINEAR = {
    "own text": "h' is not linear in h: sigmoid takes what depends on it",
    "lstm": "h and c need each other, and are not linear in the state: sigmoid takes what depends on it",
}
every_reason = pytest.mark.parametrize(("name", "call", "reason"), REASONS.values(), ids=REASONS.keys())


@every_reason
def test_a_plan_says_why_an_engine_was_passed_over(name, call, reason):
    assert str(plan(make(name), **call)) == f"native (not vendor: {reason})"


@every_reason
def test_without_a_compiler_a_plan_says_so_as_well(name, call, reason, compiler):
    compiler(NO_COMPILER)
    begun = f"(not vendor: {reason}; not native: {NO_COMPILER}"
    if name == "plain with dt":
        assert str(plan(make(name), **call)) == f"parallel {begun})"
    else:
        assert str(plan(make(name), **call)) == f"eager {begun}; not parallel: {NOT_LINEAR[name]})"


LINEAR = "z = sigmoid(W_z @ x)\nh' = (1 - z) * h + z * (W @ x)"


def linear_cell():
    return ostinato.cell(LINEAR, D, H)


def test_on_a_cpu_a_compiled_loop_runs_what_is_linear_too():
    assert str(plan(linear_cell())) == "native (not vendor: torch has no kernel for these equations)"


def test_without_a_compiler_what_is_linear_is_found_for_all_steps_at_once(compiler):
    compiler(NO_COMPILER)
    expected = f"parallel (not vendor: torch has no kernel for these equations; not native: {NO_COMPILER})"
    assert str(plan(linear_cell())) == expected


def test_on_another_device_what_is_linear_is_found_for_all_steps_at_once():
    assert make_plan(linear_cell().bind(), Call(device="cuda")).engine == "parallel"


NOT_PARALLEL = {
    "another type": ({"dtype": torch.complex64}, "its scans do not know torch.complex64"),
    "a transformation": ({"transformed": True}, "torch.func and forward-mode differentiation need plain operations"),
    "few steps": ({"steps": 15}, "15 steps are too few to gain by it"),
}


@pytest.mark.parametrize(("facts", "reason"), NOT_PARALLEL.values(), ids=NOT_PARALLEL)
def test_a_plan_says_why_nothing_is_scanned(facts, reason):
    chosen = make_plan(linear_cell().bind(), Call(device="cuda", **facts))
    assert (chosen.engine, chosen.passed_over[-1]) == ("eager", ("parallel", reason))


def test_few_steps_are_no_reason_to_refuse_a_scan_that_is_asked_for():
    assert make_plan(linear_cell().bind(), Call(steps=1), "parallel") == Plan("parallel")


NONLINEAR = {
    "h' = tanh(W @ x + U @ h)": "h' is not linear in h: tanh takes what depends on it",
    "h' = h * h + x": "h' is not linear in h: a product takes what depends on it",
    "z = sigmoid(W_z @ x)\nh' = z * (U @ h) + x": (
        "a matrix takes the state, and is gated: a scan would multiply a matrix a step, not a number a unit"
    ),
}


@pytest.mark.parametrize(("text", "reason"), NONLINEAR.items())
def test_what_is_not_linear_is_refused_with_the_reason(text, reason):
    with pytest.raises(EngineError) as caught:
        plan(ostinato.cell(text, D, D), engine="parallel")
    assert caught.value.where == "engine 'parallel'"
    assert caught.value.got == f"it cannot run this call: {reason}"


def test_a_plain_cell_that_cannot_be_read_says_what_stopped_it():
    assert str(plan(make("plain"))).startswith(
        "eager (not vendor: a plain cell has no equations to compare; "
        "not native: its state holds more than a vector for each row: "
    )


NOT_NATIVE = {
    "another device": ({"device": "cuda"}, "its loops are for the CPU, and this is cuda"),
    "another type": ({"dtype": torch.complex64}, "its loops do not know torch.complex64"),
    "a transformation": ({"transformed": True}, "torch.func and forward-mode differentiation need plain operations"),
    "few steps": ({"steps": 3}, "3 steps are too few to gain by it"),
}


@pytest.mark.parametrize(("facts", "reason"), NOT_NATIVE.values(), ids=NOT_NATIVE)
def test_a_plan_says_why_no_loop_is_compiled(facts, reason):
    chosen = make_plan(make("own text").bind(), Call(**facts))
    assert chosen.passed_over[:2] == (("vendor", "torch has no kernel for these equations"), ("native", reason))
    assert (chosen.engine, chosen.passed_over[2][0]) == ("eager", "parallel")


def test_few_steps_are_no_reason_to_refuse_a_loop_that_is_asked_for():
    assert make_plan(make("own text").bind(), Call(steps=3), "native") == Plan("native")


def test_few_steps_of_what_torch_has_a_kernel_for_are_the_vendors():
    chosen = make_plan(make("gru").bind(), Call(steps=3))
    assert chosen == Plan("vendor", (("native", "3 steps are too few to gain by it"),))


def test_a_loop_asked_for_without_a_compiler_is_an_error_with_the_reason(compiler):
    compiler(NO_COMPILER)
    with pytest.raises(EngineError) as caught:
        plan(make("gru"), engine="native")
    assert caught.value.where == "engine 'native'"
    assert caught.value.got == f"it cannot run this call: {NO_COMPILER}"
    assert caught.value.advice


@every_reason
def test_asking_by_name_for_what_cannot_run_is_an_error_with_the_reason(name, call, reason):
    with pytest.raises(EngineError) as caught:
        plan(make(name), engine="vendor", **call)
    assert caught.value.where == "engine 'vendor'"
    assert caught.value.got == f"it cannot run this call: {reason}"
    assert caught.value.advice


def test_a_projection_is_not_oneDNNs():
    cell = ProjectedLSTM(D, H, proj_size=2)
    assert str(plan(cell)) == "native (not vendor: oneDNN has no projection)"
    assert why_not_vendor(cell.bind(), Call(device="cuda")) is None


def test_one_state_is_its_own_output_so_the_vendor_returns_every_state():
    assert str(plan(make("gru"), return_states=True, engine="vendor")) == "vendor"


def test_eager_asked_for_by_name_needs_no_reason():
    assert plan(make("lstm"), engine="eager") == Plan("eager")


def test_the_plan_is_for_the_cells_own_type_unless_told_otherwise():
    assert plan(make("lstm", torch.float32)) == plan(make("lstm", torch.float64))
    assert plan(make("lstm", torch.float64)) != plan(make("lstm", torch.float64), dtype=torch.float32)


def test_a_plan_with_several_reasons_prints_in_one_line():
    shown = str(Plan("eager", (("native", "no C++ compiler found"), ("vendor", "GRU has no oneDNN kernel"))))
    assert shown == "eager (not native: no C++ compiler found; not vendor: GRU has no oneDNN kernel)"


def test_autocast_needs_the_state_in_float32():
    with torch.autocast("cpu", torch.bfloat16):
        reason = _reason_now()
    assert reason == "torch's kernels carry the state in the type of the compute, not in float32"


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on its first jvp
def test_transformations_need_plain_operations():
    reasons = []
    torch.func.grad(lambda x: (reasons.append(_reason_now()), x.sum())[1])(INPUTS)
    torch.func.vmap(lambda x: (reasons.append(_reason_now()), x)[1])(INPUTS)
    with forward_ad.dual_level():
        reasons.append(_reason_now())
    assert reasons == ["torch.func and forward-mode differentiation need plain operations"] * 3
    assert _reason_now() is None


def _reason_now():
    return why_not_vendor(BOUND, call_of(INPUTS, torch.float64, 4, return_states=False, recompute=False))


@pytest.mark.parametrize(
    ("name", "options"),
    [("plain", {}), ("own text", {}), ("lstm", {"return_states": True})],
)
def test_unrolling_by_name_refuses_as_the_plan_does(name, options):
    with pytest.raises(EngineError, match="it cannot run this call"):
        unroll(make(name), INPUTS, engine="vendor", **options)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "own text", "plain"])
def test_auto_gives_what_the_engine_it_takes_gives(name):
    cell = make(name)
    chosen = plan(cell, dtype=torch.float64).engine
    assert chosen in engines_of(name)
    torch.testing.assert_close(unroll(cell, INPUTS), unroll(cell, INPUTS, engine=chosen), rtol=0, atol=0)


def test_a_plan_can_be_made_of_facts_alone():
    assert make_plan(make("lstm").bind(), Call(torch.float64, torch.float64, device="cuda")) == Plan("vendor")
