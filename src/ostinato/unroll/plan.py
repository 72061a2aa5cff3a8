"""Which engine runs a call, and why the others do not. Pure facts in, a `Plan` out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch._C import _functorch  # type: ignore[attr-defined]  # no public call says whether torch.func is at work
from torch.autograd import forward_ad

from ostinato._errors import ConfigError, EngineError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Bound, BoundCell
from ostinato.cells.definition import Definition
from ostinato.cells.gated.lstm import ProjectedLSTM
from ostinato.cells.reading import Reading, read_step, why_unreadable
from ostinato.unroll.native.compiled import compiled, why_not_built
from ostinato.unroll.native.compiler import why_not as why_no_compiler
from ostinato.unroll.parallel.engine import scans
from ostinato.unroll.vendor import match

ENGINES = ("vendor", "native", "parallel", "eager")
"""Fastest first; `auto` takes the first that can run."""
_RECORDERS = (torch._C._TorchDispatchModeKey.PROXY, torch._C._TorchDispatchModeKey.FAKE)


@dataclass(frozen=True)
class Plan:
    """The engine chosen and, for each faster one that was passed over, the reason."""

    engine: str
    passed_over: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if not self.passed_over:
            return self.engine
        return f"{self.engine} ({'; '.join(f'not {name}: {reason}' for name, reason in self.passed_over)})"


@dataclass(frozen=True)
class Call:
    """What a plan needs to know of one call."""

    dtype: torch.dtype = torch.float32
    weights_dtype: torch.dtype = torch.float32
    return_states: bool = False
    autocast: bool = False
    device: str = "cpu"
    transformed: bool = False
    """Under `torch.func` (vmap, jvp, …) or forward-mode differentiation."""
    steps: int | None = None
    """How many steps; None where that is open."""
    rows: int | None = None
    """How many rows a step has, on average."""
    recompute: bool = False
    uneven: bool = False
    """Whether lengths differ, or rows start anew."""
    captured: bool = False
    """Part of a graph that `torch.compile` or `torch.export` captures."""
    recorded: bool = False
    """Operations are written down, or only their shapes followed: `make_fx`, fake tensors, `torch.jit.trace`."""


def call_of(data: Tensor, weights_dtype: torch.dtype, steps: int, **facts: bool) -> Call:
    """Return the facts of a call with this laid-out input, of so many steps; `facts` are further fields of `Call`."""
    transformed = _functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0
    device, rows = data.device.type, data.shape[0] // steps if steps else 0
    found = Call(data.dtype, weights_dtype, device=device, autocast=autocasts(device), transformed=transformed)
    return replace(found, steps=steps, rows=rows, recorded=is_recorded(), **facts)


def is_recorded() -> bool:
    """Return whether somebody follows torch's operations, who would not see a loop of our own; not `torch.compile`."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._is_tracing() or any(torch._C._get_dispatch_mode(kind) is not None for kind in _RECORDERS)


def autocasts(device: str) -> bool:
    """Return whether autocast is at work on a kind of device; some, as meta, have none."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def make_plan(bound: Bound, call: Call, engine: str = "auto") -> Plan:
    """Choose the engine; EngineError where `engine` is asked for by name and cannot run."""
    if engine not in ("auto", *ENGINES):
        raise ConfigError(
            "engine",
            f"unknown engine '{engine}'",
            f"Known are auto, {', '.join(ENGINES)}",
            did_you_mean(engine, ENGINES),
        )
    if call.recompute and engine == "auto":
        engine = "native"
    if engine == "eager" and not call.recompute:
        return Plan("eager")
    if engine != "auto":
        reason = _WHY_NOT[engine](bound, call)
        if reason is None:
            return Plan(engine)
        advice = "Use engine='auto', which says what it takes and why"
        raise EngineError(f"engine '{engine}'", f"it cannot run this call: {reason}", "", advice)
    return _chosen(bound, call)


def _chosen(bound: Bound, call: Call) -> Plan:
    """Return what `auto` takes: the first engine that can run and that nothing speaks against."""
    not_vendor = why_not_vendor(bound, call)
    worse = not_vendor or why_rather_native(bound, call)
    if worse is None:
        return Plan("vendor")
    not_native = why_not_native(bound, call, worth=True)
    if not_native is None:
        return Plan("native", (("vendor", worse),))
    if not_vendor is None:
        return Plan("vendor", (("native", not_native),))
    not_parallel = why_not_parallel(bound, call, worth=True)
    passed_over = (("vendor", not_vendor), ("native", not_native))
    if not_parallel is None:
        return Plan("parallel", passed_over)
    return Plan("eager", (*passed_over, ("parallel", not_parallel)))


def why_rather_native(bound: Bound, call: Call) -> str | None:
    """Return why a compiled loop is the better one where torch has a kernel too; None where torch's is.

    Measured on a CPU (benchmarks/README.md, "vendor").
    """
    if call.device != "cpu" or not isinstance(bound, BoundEquations):
        return None
    if call.captured:
        return "a captured graph takes torch's kernels apart, step by step"
    found = match(bound.definition.program)
    assert found is not None
    if found.kernel.name != "lstm":
        return f"torch takes {found.kernel.name} one operation at a time on a CPU"
    if call.uneven:
        return "torch's lstm is slower where lengths differ or rows start anew"
    numbers = sum(tensor.numel() for tensor in bound.tensors.values())
    if call.rows is not None and call.rows < FEW_ROWS and numbers > FAR_NUMBERS:
        return None
    return "torch's lstm is slower on a CPU, but for few rows and large matrices"


def why_not_vendor(bound: Bound, call: Call) -> str | None:
    """Return why torch's own kernels cannot run this call; None where they can."""
    if not isinstance(bound, BoundEquations):
        return "a plain cell has no equations to compare"
    found = match(bound.definition.program)
    if found is None:
        return "torch has no kernel for these equations"
    if found.kernel.cell is ProjectedLSTM and call.device == "cpu":
        return "oneDNN has no projection"
    if call.dtype not in (torch.float32, torch.float64) or call.autocast:
        return "torch's kernels carry the state in the type of the compute, not in float32"
    if call.dtype != call.weights_dtype:
        return f"the input is {call.dtype} and the weights are {call.weights_dtype}"
    if call.return_states and len(bound.definition.states) > 1:
        return "torch's kernels return the last state only"
    if call.transformed:
        return _PLAIN_OPERATIONS
    return _KEEPS_ALL if call.recompute else None


def why_not_native(bound: Bound, call: Call, *, worth: bool = False) -> str | None:
    """Return why no compiled loop can run this call, or with `worth` why it would not pay; None where it can."""
    if call.device != "cpu":
        return f"its loops are for the CPU, and this is {call.device}"
    if call.recorded and not call.captured:
        return "make_fx, fake tensors and torch.jit.trace follow torch's own operations only"
    if call.dtype not in _COMPILED_DTYPES:
        return f"its loops do not know {call.dtype}"
    if call.transformed:
        return _PLAIN_OPERATIONS
    if worth and call.steps is not None and call.steps < FEWEST_STEPS:
        return f"{call.steps} steps are too few to gain by it"
    missing = why_no_compiler()
    if missing is not None:
        return missing
    if isinstance(bound, BoundCell):
        unreadable = why_unreadable(bound.cell)
        return unreadable or _why_no_loop(read_step(bound.cell), worth)
    return _why_no_loop(bound.definition, worth)  # type: ignore[attr-defined]


def _why_no_loop(definition: Definition | Reading, worth: bool) -> str | None:
    known = compiled(definition)
    if isinstance(known, str):
        return known
    return why_not_built(definition) if worth else None  # asked for by name, it is tried again


def why_not_parallel(bound: Bound, call: Call, *, worth: bool = False) -> str | None:
    """Return why scans over time cannot run this call, or with `worth` why they would not pay; None where they can."""
    if call.dtype not in _COMPILED_DTYPES:
        return f"its scans do not know {call.dtype}"
    if call.transformed:
        return _PLAIN_OPERATIONS
    if call.recompute:
        return _KEEPS_ALL
    if worth and call.steps is not None and call.steps < FEWEST_SCANNED:
        return f"{call.steps} steps are too few to gain by it"
    if isinstance(bound, BoundCell):
        unreadable = why_unreadable(bound.cell)
        return unreadable or _why_no_scan(read_step(bound.cell))
    return _why_no_scan(bound.definition)  # type: ignore[attr-defined]


def _why_no_scan(definition: Definition | Reading) -> str | None:
    known = scans(definition)
    return known if isinstance(known, str) else None


FEW_ROWS, FAR_NUMBERS = 32, 2_000_000
"""With fewer rows, matrices of more numbers than the near caches hold are what an LSTM waits for; torch's fetches them
as fast, and needs less around it."""
FEWEST_STEPS = 4
"""Of fewer steps, `auto` makes no compiled loop."""
FEWEST_SCANNED = 16
"""Of fewer steps, `auto` makes no scan."""
_PLAIN_OPERATIONS = "torch.func and forward-mode differentiation need plain operations"
_COMPILED_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_KEEPS_ALL = "it keeps whatever its backward pass needs, and only a compiled loop can recompute"
_WHY_NOT = {
    "vendor": why_not_vendor,
    "native": why_not_native,
    "parallel": why_not_parallel,
    "eager": lambda *_: _KEEPS_ALL,
}
