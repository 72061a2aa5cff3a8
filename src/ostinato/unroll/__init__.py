"""`unroll`: a cell over time, with one contract for every engine (docs/design/0001-state-and-time.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.cells.cell import Bound, Cell, State
from ostinato.unroll.call import Options, form, run, weights_dtype
from ostinato.unroll.devices import check_beside, check_weights
from ostinato.unroll.plan import Call, Plan, make_plan

__all__ = ["plan", "unroll"]


def unroll(
    cell: Cell | Bound,
    inputs: Tensor,
    state: State = None,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    dt: Tensor | None = None,
    reverse: bool = False,
    engine: str = "auto",
    return_states: bool = False,
    recompute: bool = False,
) -> tuple:
    """Apply a cell along time. It stands for these lines:

        for x in inputs:                       # (T, B, D)
            y, state = cell.step(x, state)
            outputs.append(y)

    Returns (outputs (T, B, O), state), and with `return_states` every step's state (T, B, …) as a third.

    state    before the first step; None is the cell's initial state. Returned as the same structure.
    lengths  (B,) from 0 to T, in any order. Outputs beyond a length are zero; the state returned is the one after the
             row's last real step. Steps beyond it cost nothing and pass no gradient.
    reset    (T, B) bool; where true, the state is the cell's initial one before that step.
    dt       (T, B), the time since the last step, for cells whose equations use it.
    reverse  each row starts at its own last real step and ends at its first.
    engine   "auto", or one by name.
    recompute  keep only the states for the backward pass, which then computes gates again, all steps at once: less
             memory for about a third more arithmetic. A compiled loop does it ("native").

    Under lower-precision compute the carried state stays float32.
    Raises ConfigError for shapes or types that do not fit, EngineError where an engine asked for by name cannot run.
    """
    bound = _bound(cell)
    _check_inputs(bound, inputs, reset, dt, cell.input_size)
    if isinstance(cell, Cell) and cell.draws:
        bound, inputs = cell.begin(inputs)
    options = Options(reverse, return_states, recompute)
    if torch.compiler.is_compiling():
        from ostinato.unroll import graph  # brings in the parts of torch that compile, which take a second to load

        return graph.unroll(bound, inputs, state, lengths, reset, dt, engine, options)
    return run(bound, inputs, state, lengths, reset, dt, engine, options)


def plan(
    cell: Cell | Bound,
    *,
    dtype: torch.dtype | None = None,
    engine: str = "auto",
    return_states: bool = False,
) -> Plan:
    """Return the engine that such a call would run on, with the reasons; nothing is run.

    `dtype` is that of the inputs, None the cell's own; the device is the cell's.
    """
    bound = _bound(cell)
    weight = next(iter(getattr(bound, "tensors", {}).values()), torch.empty(0))
    call = Call(
        dtype or weight.dtype,
        weight.dtype,
        return_states=return_states,
        device=weight.device.type,
    )
    return make_plan(bound, call, engine)


def _bound(cell: Cell | Bound) -> Bound:
    if isinstance(cell, Cell):
        return cell.bind()
    if isinstance(cell, type) or not hasattr(cell, "over"):
        given = f"the class {cell.__name__}" if isinstance(cell, type) else type(cell).__name__
        raise ConfigError(
            "cell",
            f"{given} was given",
            "A cell is an ostinato.Cell, with sizes",
            "Build one, as ostinato.LSTM(input_size, hidden_size) or ostinato.cell(equations, …)",
        )
    return cell


def _check_inputs(bound: Bound, inputs: Tensor, reset: Tensor | None, dt: Tensor | None, input_size: int) -> None:
    if not isinstance(inputs, Tensor) or inputs.dim() != 3:
        raise ConfigError("inputs", form(inputs), "Inputs are a tensor (T, B, D): steps, rows, numbers")
    if inputs.shape[2] != input_size:
        raise ConfigError("inputs", f"{inputs.shape[2]} numbers a step", f"The cell takes {input_size}")
    if not inputs.is_floating_point():
        raise ConfigError("inputs", f"{inputs.dtype}", "A cell takes floating-point numbers", "Embed symbols first")
    weights = weights_dtype(bound, inputs.dtype)
    if inputs.dtype != weights and torch.float64 in (inputs.dtype, weights):
        advice = f"Use inputs.to({weights}) or cell.to({inputs.dtype})"
        raise ConfigError("inputs", f"{inputs.dtype}", f"The cell's weights are {weights}", advice)
    for name, value in (("reset", reset), ("dt", dt)):
        if value is not None and (not isinstance(value, Tensor) or value.shape != inputs.shape[:2]):
            raise ConfigError(name, form(value), f"It is a tensor (T, B) = {tuple(inputs.shape[:2])}")
    if reset is not None and reset.dtype != torch.bool:
        raise ConfigError("reset", f"{reset.dtype}", "It is bool")
    if dt is None and bound.uses_dt:
        raise ConfigError(
            "dt",
            "none was given",
            "The equations use dt, the time since the last step",
            "Pass dt of shape (T, B)",
        )
    check_weights(getattr(bound, "tensors", {}), inputs.device)
    check_beside("reset", reset, inputs.device)
    check_beside("dt", dt, inputs.device)
