"""One call of `unroll`, its arguments checked: laid out, planned, and given to an engine."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C import _functorch  # type: ignore[attr-defined]  # no public call says whether vmap is at work
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import Bound, State
from ostinato.unroll import eager, restarts, vendor
from ostinato.unroll.devices import check_beside
from ostinato.unroll.layout import layout
from ostinato.unroll.native import engine as native
from ostinato.unroll.native.compiler import NotBuilt
from ostinato.unroll.parallel import engine as parallel
from ostinato.unroll.plan import call_of, make_plan

_RUN: dict[str, restarts.Engine] = {"eager": eager.run, "vendor": vendor.run}
_NARROW = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Options:
    """What a call asks for besides its tensors."""

    reverse: bool = False
    return_states: bool = False
    recompute: bool = False


def run(
    bound: Bound,
    inputs: Tensor,
    state: State,
    lengths: Tensor | None,
    reset: Tensor | None,
    dt: Tensor | None,
    engine: str,
    options: Options,
) -> tuple:
    """Return what `unroll` does."""
    steps, batch = inputs.shape[:2]
    reverse, return_states, recompute = options.reverse, options.return_states, options.recompute
    order = layout(steps, batch, lengths, reverse, inputs.device)
    data = order.pack(inputs)
    state = starting_state(bound, state, batch, data)
    facts = {"return_states": return_states, "recompute": recompute}
    facts["uneven"] = order.order is not None or reset is not None
    chosen = make_plan(bound, call_of(data, weights_dtype(bound, data.dtype), steps, **facts), engine)
    sorted_state = order.sort(state)
    times = None
    if dt is not None and bound.uses_dt:
        times = order.pack(reversed_times(dt, lengths) if reverse else dt)
        check_times(bound, times)
    flags = None if reset is None else order.pack(reset)
    given = (bound, data, sorted_state, order)
    if chosen.engine == "native":  # its loop starts rows again by itself
        settings = {"dt": times, "keep": return_states, "reset": flags, "recompute": recompute}
        try:
            packed, last, states = native.run(*given, **settings)  # type: ignore[arg-type]
        except NotBuilt as failure:
            if engine != "auto" or recompute:
                raise
            warnings.warn(f"another engine than the one planned runs: {failure.got}", RuntimeWarning, stacklevel=3)
            return run(bound, inputs, state, lengths, reset, dt, engine, options)  # its plan says why
    elif chosen.engine == "parallel":
        packed, last, states = parallel.run(*given, dt=times, keep=return_states, reset=flags)  # type: ignore[arg-type]
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


def weights_dtype(bound: Bound, default: torch.dtype) -> torch.dtype:
    """Return the type of a cell's tensors; `default` where it has none."""
    return next((t.dtype for t in getattr(bound, "tensors", {}).values()), default)


def starting_state(bound: Bound, state: State, batch: int, data: Tensor) -> State:
    """Return the state given, in the cell's own structure, or the initial one; float32 under narrower inputs."""
    dtype = torch.float32 if data.dtype in _NARROW else data.dtype
    expected = bound.initial_state(batch, device=data.device, dtype=dtype)
    if state is None:
        return expected
    given = checked_state(state, pytree.tree_leaves(expected))
    return pytree.tree_unflatten(given, pytree.tree_structure(expected))


def checked_state(state: State, expected: list[Tensor]) -> list[Tensor]:
    """Return the tensors of a state; ConfigError where they are not those of a state of this cell."""
    given = pytree.tree_leaves(state)
    shapes = [leaf.shape if isinstance(leaf, Tensor) else None for leaf in given]
    if shapes != [leaf.shape for leaf in expected]:
        forms, wanted = [form(leaf) for leaf in given], [form(leaf) for leaf in expected]
        raise ConfigError("state", ", ".join(forms) or "no tensors", f"This cell's state is {', '.join(wanted)}")
    for leaf, like in zip(given, expected, strict=True):
        if torch.promote_types(leaf.dtype, like.dtype) != like.dtype:
            raise ConfigError("state", f"{leaf.dtype}", f"Beside these inputs a state is {like.dtype}, or narrower")
        check_beside("state", leaf, like.device)
    return [leaf.to(like.dtype) for leaf, like in zip(given, expected, strict=True)]


def form(value: object) -> str:
    """Return the shape of a tensor, or what else it is, as errors say it."""
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"{type(value).__name__}, not a tensor"


def check_times(bound: Bound, times: Tensor) -> None:
    """ConfigError where no time passes between two steps of a cell that needs some; under vmap no numbers are seen."""
    if _functorch.peek_interpreter_stack() is not None:
        return
    if bound.needs_positive_dt and not bool((times > 0).all()):
        got = times[~(times > 0)][0].item()
        raise ConfigError("dt", f"{got:g} was given", "In this cell's equations time passes: dt > 0")


def reversed_times(dt: Tensor, lengths: Tensor | None) -> Tensor:
    """Return, for each step, the time to the step that comes before it in reverse order.

    That is the next step's dt; the step a row starts with takes the row's first dt.
    """
    rolled = torch.cat([dt[1:], dt[:1]])
    if lengths is None or dt.shape[0] == 0:
        return rolled
    last = (torch.as_tensor(lengths).to(dt.device, torch.int64) - 1).clamp(min=0)
    return rolled.scatter(0, last[None], dt[:1])
