"""Which engine runs a call, and why the others do not. Pure facts in, a `Plan` out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C import _functorch  # type: ignore[attr-defined]  # no public call says whether torch.func is at work
from torch.autograd import forward_ad

from ostinato._errors import ConfigError, EngineError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Bound
from ostinato.cells.lstm import ProjectedLSTM
from ostinato.unroll.native.compiled import compiled
from ostinato.unroll.native.compiler import why_not as why_no_compiler
from ostinato.unroll.vendor import match

ENGINES = ("vendor", "native", "eager")
"""Fastest first; `auto` takes the first that can run."""


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


def call_of(data: Tensor, weights_dtype: torch.dtype, *, return_states: bool) -> Call:
    """Return the facts of a call with this laid-out input."""
    transformed = _functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0
    device = data.device.type
    return Call(data.dtype, weights_dtype, return_states, autocasts(device), device, transformed)


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
    if engine == "eager":
        return Plan("eager")
    passed_over = []
    for name, why_not in _WHY_NOT.items():
        if engine not in ("auto", name):
            continue
        reason = why_not(bound, call)
        if reason is None:
            return Plan(name, tuple(passed_over))
        passed_over.append((name, reason))
    if engine != "auto":
        raise EngineError(
            f"engine '{engine}'",
            f"it cannot run this call: {passed_over[0][1]}",
            "",
            "Use engine='auto', which says what it takes and why",
        )
    return Plan("eager", tuple(passed_over))


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
        return "torch.func and forward-mode differentiation need plain operations"
    return None


def why_not_native(bound: Bound, call: Call) -> str | None:
    """Return why no compiled loop can run this call; None where one can."""
    if not isinstance(bound, BoundEquations):
        return "a plain cell has no equations to compile"
    if call.device != "cpu":
        return f"its loops are for the CPU, and this is {call.device}"
    if call.dtype not in _COMPILED_DTYPES:
        return f"its loops do not know {call.dtype}"
    if call.transformed:
        return "torch.func and forward-mode differentiation need plain operations"
    missing = why_no_compiler()
    if missing is not None:
        return missing
    known = compiled(bound.definition)
    return known if isinstance(known, str) else None


_COMPILED_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_WHY_NOT = {"vendor": why_not_vendor, "native": why_not_native}
