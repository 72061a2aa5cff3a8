"""A call of `unroll` in a graph that `torch.compile` or `torch.export` captures.

The call is one node while `torch.compile` reads Python: planning an engine is not for a graph. What the engine does
with tensors is in it all the same, because the node's function is traced with tensors that have shapes and no numbers.
Without numbers nobody knows what `lengths` and `reset` hold. The native engine leaves that to its operation
(native/operation.py); for another one the graph is cut in two, and the call runs between them as it does everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Bound, State
from ostinato.cells.definition import definition_of
from ostinato.unroll.call import Options, reversed_times, run, starting_state, weights_dtype
from ostinato.unroll.native import operation
from ostinato.unroll.plan import call_of, make_plan


def unroll(
    bound: Bound,
    inputs: Tensor,
    state: State,
    lengths: Tensor | None,
    reset: Tensor | None,
    dt: Tensor | None,
    engine: str,
    options: Options,
) -> tuple:
    """Return what `run` does."""
    is_open = lengths is not None or reset is not None
    given = (bound, inputs, state, lengths, reset, dt)
    if isinstance(bound, BoundEquations) and (engine in ("auto", "native") or not is_open):
        return _as_one(bound, *given[1:], engine, options)
    if is_open:
        return _apart(*given, engine, options)
    if engine in ("auto", "eager"):  # the step of a plain cell, operation by operation
        return run(*given, "eager", options)
    return _plain_apart(*given, engine, options)


def _as_one(
    bound: BoundEquations,
    inputs: Tensor,
    state: State,
    lengths: Tensor | None,
    reset: Tensor | None,
    dt: Tensor | None,
    engine: str,
    options: Options,
) -> tuple:
    definition = bound.definition
    made = _node(
        definition.text,
        list(bound.constants.values()),
        list(bound.tensors.values()),
        inputs,
        None if state is None else pytree.tree_leaves(state),
        pytree.tree_leaves(bound.initial_state(inputs.shape[1], device=inputs.device)),
        [lengths, reset, dt],
        engine,
        (options.reverse, options.return_states, options.recompute),
    )
    count = len(definition.states)
    outputs, last = made[0], definition.pack_state(made[1 : count + 1])
    return (outputs, last, definition.pack_state(made[count + 1 :])) if options.return_states else (outputs, last)


def _made(
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
    """Return the tensors of what `run` returns; every argument is a tensor, or what a graph can hold as a constant."""
    definition, options = definition_of(equations), Options(*flags)
    lengths, reset, dt = given
    bound = BoundEquations(
        definition,
        {stack.name: tensor for stack, tensor in zip(definition.stacks, tensors, strict=True)},
        {c.name: number for c, number in zip(definition.program.role("constant"), constants, strict=True)},
    )
    bound.initial_state = _Initial(bound, initial)  # type: ignore[method-assign]
    start = None if state is None else definition.pack_state(state)
    data = inputs.flatten(0, 1)
    facts = {"return_states": options.return_states, "recompute": options.recompute, "captured": True}
    call = call_of(data, weights_dtype(bound, data.dtype), inputs.shape[0], **facts)
    chosen = make_plan(bound, call, engine).engine
    if chosen == "native":
        start = starting_state(bound, start, inputs.shape[1], data)
        times = dt if dt is None or not options.reverse else reversed_times(dt, lengths)
        made = operation.run(bound, inputs, start, options, lengths=lengths, reset=reset, dt=times)
    else:
        made = run(bound, inputs, start, lengths, reset, dt, chosen, options)
    return pytree.tree_leaves(made)


class _Initial:
    """Starting states of a whole batch, made outside of the node: where they are learned, gradients reach them."""

    def __init__(self, bound: BoundEquations, leaves: list[Tensor]):
        self.pack, self.leaves = bound.definition.pack_state, leaves

    def __call__(self, batch_size: int, *, device=None, dtype=None) -> State:
        return self.pack([leaf[:batch_size].to(dtype=dtype) for leaf in self.leaves])


_node: Callable[..., list[Tensor]] = torch.compiler.allow_in_graph(torch.compiler.disable(_made))
_UNKNOWN = "what lengths and resets hold is not known in a captured graph; engine='native' leaves it to its operation"
_PLAIN = "a captured graph takes the step of a plain cell as it is, on the eager engine, and no loop compiled from it"
_apart: Callable[..., tuple] = torch.compiler.disable(run, reason=_UNKNOWN)  # type: ignore[assignment]
_plain_apart: Callable[..., tuple] = torch.compiler.disable(run, reason=_PLAIN)  # type: ignore[assignment]
