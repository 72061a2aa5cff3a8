"""`unroll`: a cell over time, with one contract for every engine (docs/design/0001-state-and-time.md)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Bound, Cell, State
from ostinato.cells.definition import definition_of
from ostinato.unroll import eager, restarts, vendor
from ostinato.unroll.layout import layout
from ostinato.unroll.native import captured
from ostinato.unroll.native import engine as native
from ostinato.unroll.plan import Call, Plan, call_of, make_plan

__all__ = ["plan", "unroll"]

_RUN: dict[str, restarts.Engine] = {"eager": eager.run, "vendor": vendor.run}
_NARROW = (torch.bfloat16, torch.float16)


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
    _check_inputs(bound, inputs, reset, dt)
    options = captured.Options(reverse, return_states, recompute)
    if not torch.compiler.is_compiling():
        return _unroll(bound, inputs, state, lengths, reset, dt, engine, options)
    if isinstance(bound, BoundEquations):
        return _unroll_as_one(bound, inputs, state, lengths, reset, dt, engine, options)
    engine = "eager" if engine == "auto" else engine  # a graph is being captured, and a plain step belongs in it
    return _unroll(bound, inputs, state, lengths, reset, dt, engine, options)


def _unroll(
    bound: Bound,
    inputs: Tensor,
    state: State,
    lengths: Tensor | None,
    reset: Tensor | None,
    dt: Tensor | None,
    engine: str,
    options: captured.Options,
) -> tuple:
    steps, batch = inputs.shape[:2]
    reverse, return_states, recompute = options.reverse, options.keep, options.recompute
    order = layout(steps, batch, lengths, reverse, inputs.device)
    data = order.pack(inputs)
    state = _starting_state(bound, state, batch, data)
    facts = {"return_states": return_states, "recompute": recompute}
    facts["uneven"] = order.order is not None or reset is not None
    chosen = make_plan(bound, call_of(data, _weights_dtype(bound, data.dtype), steps, **facts), engine)
    sorted_state = order.sort(state)
    times = None
    if dt is not None and bound.uses_dt:
        times = order.pack(_reversed_times(dt, lengths) if reverse else dt)
    flags = None if reset is None else order.pack(reset)
    given = (bound, data, sorted_state, order)
    if chosen.engine == "native":  # its loop starts rows again by itself
        settings = {"dt": times, "keep": return_states, "reset": flags, "recompute": recompute}
        packed, last, states = native.run(*given, **settings)  # type: ignore[arg-type]
    elif flags is not None and order.rows:
        packed, last, states = restarts.run(_RUN[chosen.engine], *given, flags, times, return_states)
    else:
        packed, last, states = _RUN[chosen.engine](*given, dt=times, keep=return_states)
    outputs = order.unpack(packed.to(inputs.dtype))
    last = order.unsort(last)
    if not return_states:
        return outputs, last
    if states is None:
        states = pytree.tree_map(lambda s: s.new_zeros(0, *s.shape[1:]), last)
    return outputs, last, pytree.tree_map(order.unpack, states)


def _unroll_as_one(
    bound: BoundEquations,
    inputs: Tensor,
    state: State,
    lengths: Tensor | None,
    reset: Tensor | None,
    dt: Tensor | None,
    engine: str,
    options: captured.Options,
) -> tuple:
    """Unroll as one call of a captured graph, into which `torch.compile` does not look while it reads Python."""
    definition = bound.definition
    dtype = torch.float32 if inputs.dtype in _NARROW else inputs.dtype
    initial = bound.initial_state(inputs.shape[1], device=inputs.device, dtype=dtype)
    made = _call_as_one(
        definition.text,
        list(bound.constants.values()),
        list(bound.tensors.values()),
        inputs,
        None if state is None else pytree.tree_leaves(state),
        list(definition.state_values(initial)),
        [lengths, reset, dt],
        engine,
        (options.reverse, options.keep, options.recompute),
    )
    count = len(definition.states)
    outputs, last = made[0], definition.pack_state(made[1 : count + 1])
    return (outputs, last, definition.pack_state(made[count + 1 :])) if options.keep else (outputs, last)


@torch.compiler.allow_in_graph
def _call_as_one(
    equations: str,
    constants: list[float],
    tensors: list[Tensor],
    inputs: Tensor,
    state: list[Tensor] | None,
    initial: list[Tensor],
    given: list[Tensor | None],
    engine: str,
    flags: tuple[bool, bool, bool],
) -> list[Tensor]:
    definition, options = definition_of(equations), captured.Options(*flags)
    lengths, reset, dt = given
    names = [symbol.name for symbol in definition.program.role("constant")]
    bound = BoundEquations(
        definition,
        {stack.name: tensor for stack, tensor in zip(definition.stacks, tensors, strict=True)},
        dict(zip(names, constants, strict=True)),
    )
    bound.initial_state = lambda rows, **_: definition.pack_state([leaf[:rows] for leaf in initial])  # type: ignore[method-assign]
    data = inputs.flatten(0, 1)
    facts = {"return_states": options.keep, "recompute": options.recompute}
    facts["data_dependent"] = lengths is not None or reset is not None
    call = call_of(data, _weights_dtype(bound, data.dtype), inputs.shape[0], **facts)
    start = None if state is None else definition.pack_state(state)
    chosen = make_plan(bound, call, engine).engine
    if chosen == "native":
        start = _starting_state(bound, start, inputs.shape[1], data)
        times = dt if dt is None or not options.reverse else _reversed_times(dt, lengths)
        made = captured.run(bound, inputs, start, options, lengths=lengths, reset=reset, dt=times)
    else:
        made = _unroll(bound, inputs, start, lengths, reset, dt, chosen, options)
    return pytree.tree_leaves(made)


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


def _weights_dtype(bound: Bound, default: torch.dtype) -> torch.dtype:
    return next((t.dtype for t in getattr(bound, "tensors", {}).values()), default)


def _starting_state(bound: Bound, state: State, batch: int, data: Tensor) -> State:
    """Return the state given, in the cell's own structure, or the initial one; float32 under narrower inputs."""
    dtype = torch.float32 if data.dtype in _NARROW else data.dtype
    expected = bound.initial_state(batch, device=data.device, dtype=dtype)
    if state is None:
        return expected
    given = _checked_state(state, pytree.tree_leaves(expected))
    return pytree.tree_unflatten(given, pytree.tree_structure(expected))


def _check_inputs(bound: Bound, inputs: Tensor, reset: Tensor | None, dt: Tensor | None) -> None:
    if not isinstance(inputs, Tensor) or inputs.dim() != 3:
        raise ConfigError("inputs", _form(inputs), "Inputs are a tensor (T, B, D): steps, rows, numbers")
    if inputs.shape[2] != bound.input_size:
        raise ConfigError("inputs", f"{inputs.shape[2]} numbers a step", f"The cell takes {bound.input_size}")
    if not inputs.is_floating_point():
        raise ConfigError("inputs", f"{inputs.dtype}", "A cell takes floating-point numbers", "Embed symbols first")
    weights = _weights_dtype(bound, inputs.dtype)
    if inputs.dtype != weights and torch.float64 in (inputs.dtype, weights):
        advice = f"Use inputs.to({weights}) or cell.to({inputs.dtype})"
        raise ConfigError("inputs", f"{inputs.dtype}", f"The cell's weights are {weights}", advice)
    for name, value in (("reset", reset), ("dt", dt)):
        if value is not None and (not isinstance(value, Tensor) or value.shape != inputs.shape[:2]):
            raise ConfigError(name, _form(value), f"It is a tensor (T, B) = {tuple(inputs.shape[:2])}")
    if reset is not None and reset.dtype != torch.bool:
        raise ConfigError("reset", f"{reset.dtype}", "It is bool")
    if dt is None and bound.uses_dt:
        raise ConfigError(
            "dt",
            "none was given",
            "The equations use dt, the time since the last step",
            "Pass dt of shape (T, B)",
        )


def _checked_state(state: State, expected: list[Tensor]) -> list[Tensor]:
    """Return the tensors of a state; ConfigError where they are not those of a state of this cell."""
    given = pytree.tree_leaves(state)
    shapes = [leaf.shape if isinstance(leaf, Tensor) else None for leaf in given]
    if shapes != [leaf.shape for leaf in expected]:
        forms, wanted = [_form(leaf) for leaf in given], [_form(leaf) for leaf in expected]
        raise ConfigError("state", ", ".join(forms) or "no tensors", f"This cell's state is {', '.join(wanted)}")
    for leaf, like in zip(given, expected, strict=True):
        if torch.promote_types(leaf.dtype, like.dtype) != like.dtype:
            raise ConfigError("state", f"{leaf.dtype}", f"Beside these inputs a state is {like.dtype}, or narrower")
    return [leaf.to(like.dtype) for leaf, like in zip(given, expected, strict=True)]


def _form(value: object) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"{type(value).__name__}, not a tensor"


def _reversed_times(dt: Tensor, lengths: Tensor | None) -> Tensor:
    """Return, for each step, the time to the step that comes before it in reverse order.

    That is the next step's dt; the step a row starts with takes the row's first dt.
    """
    rolled = torch.cat([dt[1:], dt[:1]])
    if lengths is None or len(dt) == 0:
        return rolled
    last = (torch.as_tensor(lengths).to(dt.device, torch.int64) - 1).clamp(min=0)
    return rolled.scatter(0, last[None], dt[:1])
