"""The plan: which engine runs a call, and the reason for each that was passed over, as text."""

import pytest
import torch
from recurrences import D, H, engines_of, make, numbers
from torch.autograd import forward_ad

from ostinato import EngineError, plan, unroll
from ostinato.cells.lstm import ProjectedLSTM
from ostinato.unroll.plan import Call, Plan, call_of, make_plan, why_not_vendor

INPUTS = numbers(4, 2, D)
BOUND = make("lstm").bind()


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "lstm without bias", "learned start"])
def test_the_vendor_runs_what_torch_has_a_kernel_for(name):
    assert str(plan(make(name))) == "vendor"


REASONS = {
    "plain": ("plain", {}, "a plain cell has no equations to compare"),
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


@pytest.mark.parametrize(("name", "call", "reason"), REASONS.values(), ids=REASONS.keys())
def test_a_plan_says_why_an_engine_was_passed_over(name, call, reason):
    assert str(plan(make(name), **call)) == f"eager (not vendor: {reason})"


@pytest.mark.parametrize(("name", "call", "reason"), REASONS.values(), ids=REASONS.keys())
def test_asking_by_name_for_what_cannot_run_is_an_error_with_the_reason(name, call, reason):
    with pytest.raises(EngineError) as caught:
        plan(make(name), engine="vendor", **call)
    assert caught.value.where == "engine 'vendor'"
    assert caught.value.got == f"it cannot run this call: {reason}"
    assert caught.value.advice


def test_a_projection_is_not_oneDNNs():
    cell = ProjectedLSTM(D, H, proj_size=2)
    assert str(plan(cell)) == "eager (not vendor: oneDNN has no projection)"
    assert why_not_vendor(cell.bind(), Call(device="cuda")) is None


def test_one_state_is_its_own_output_so_the_vendor_returns_every_state():
    assert str(plan(make("gru"), return_states=True)) == "vendor"


def test_eager_asked_for_by_name_needs_no_reason():
    assert plan(make("lstm"), engine="eager") == Plan("eager")


def test_the_plan_is_for_the_cells_own_type_unless_told_otherwise():
    assert str(plan(make("lstm", torch.float32))) == str(plan(make("lstm", torch.float64))) == "vendor"


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
    return why_not_vendor(BOUND, call_of(INPUTS, torch.float64, return_states=False))


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
    assert chosen == engines_of(name)[0]
    torch.testing.assert_close(unroll(cell, INPUTS), unroll(cell, INPUTS, engine=chosen), rtol=0, atol=0)


def test_a_plan_can_be_made_of_facts_alone():
    assert make_plan(make("lstm").bind(), Call(torch.float64, torch.float64)) == Plan("vendor")
