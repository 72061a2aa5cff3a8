"""The native engine in a graph that `torch.compile` or `torch.export` captures: the loop is one operation of it.

    inputs (T, B, D) -> laid out -> products before the loop -> ostinato::loop -> products after it -> (T, B, O)

Everything but the loop is torch's own operations, which the graph may fuse. Sizes in a graph are known while it is
captured and what `lengths` and `reset` hold is not; so tensors keep T·B rows, the first Σ lengths of which are laid out
as in every engine, and the loop goes over those alone. A graph holds a cell's equations as text: it can be saved, and
run where the cell never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato._errors import EngineError
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import State
from ostinato.cells.definition import definition_of
from ostinato.unroll.call import Options
from ostinato.unroll.layout import layout
from ostinato.unroll.native.compiled import Compiled, Wiring, compiled
from ostinato.unroll.native.engine import LoopCall, is_hoisted, is_narrow, sequence_of
from ostinato.unroll.native.passes import all_of


def run(
    bound: BoundEquations,
    inputs: Tensor,
    state: State,
    options: Options,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    dt: Tensor | None = None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return (outputs (T, B, O), the last states, with `keep` every step's states); arguments are those of `unroll`.

    `dt` has been reversed already.
    """
    definition = bound.definition
    order = _Order(inputs, lengths, options.reverse)
    data = order.pack(inputs)
    hoisted = not options.recompute and bool(is_hoisted(bound, data, inputs.shape[0]))
    known = _known(definition.text, hoisted)
    compute = torch.float64 if data.dtype == torch.float64 else torch.float32
    values = known.before_loop(bound, data, None if dt is None else order.pack(dt))
    given = [sequence_of(values[name], data.shape[0], compute) for name in known.given]
    parameters = [torch.as_tensor(values[name], dtype=compute, device="cpu").contiguous() for name in known.parameters]
    starts = [order.sort(leaf).contiguous() for leaf in definition.state_values(state)]
    initials: list[Tensor] = []
    if reset is not None:
        fresh = bound.initial_state(inputs.shape[1], device=data.device, dtype=compute)
        initials = [order.sort(leaf).contiguous() for leaf in definition.state_values(fresh)]
    tensors = [*given, *parameters, *starts, *initials]
    save = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    flags = None if reset is None else order.pack(reset)
    constants = [float(values[value]) for value in known.constants.values()]
    about = (definition.text, constants, *inputs.shape[:2], hoisted, options.return_states, options.recompute)
    results = loop(tensors, save, order.rows, flags, *about, is_narrow(bound, data))
    wiring = known.wiring(options.return_states, reset is not None, options.recompute)
    made = dict(zip(wiring.results, results, strict=False))
    outputs = order.unpack(known.after_loop(values, made).to(inputs.dtype))
    every = [order.unpack(made[all_of(name)]) for name in wiring.states] if options.return_states else []
    return outputs, [order.unsort(made[name]) for name in wiring.last], every


class _Order:
    """What a layout does, on T·B rows whatever the lengths; rows beyond those laid out repeat the last of them."""

    def __init__(self, inputs: Tensor, lengths: Tensor | None, reverse: bool):
        self.shape, self.reverse, self.rows = inputs.shape[:2], reverse, None
        if lengths is not None:
            steps = self.shape[0]
            lengths = lengths.to("cpu", torch.int64)
            self.index, self.place, self.order, self.rows = arrange(lengths, steps, reverse)
            self.alive = torch.arange(steps, device="cpu")[:, None] < lengths

    def pack(self, values: Tensor) -> Tensor:
        """(T, B, …) to (T·B, …)."""
        if self.rows is not None:
            return values.flatten(0, 1).index_select(0, self.index)
        return (values.flip(0) if self.reverse else values).flatten(0, 1)

    def unpack(self, packed: Tensor) -> Tensor:
        """(T·B, …) to (T, B, …), zero beyond the lengths."""
        if self.rows is not None:
            values = packed.index_select(0, self.place).view(*self.shape, *packed.shape[1:])
            alive = self.alive.view(*self.shape, *[1] * (values.dim() - 2))
            return torch.where(alive, values, values.new_zeros(()))
        values = packed.view(*self.shape, *packed.shape[1:])
        return values.flip(0) if self.reverse else values

    def sort(self, leaf: Tensor) -> Tensor:
        return leaf if self.rows is None else leaf.index_select(0, self.order)

    def unsort(self, leaf: Tensor) -> Tensor:
        return leaf if self.rows is None else leaf.index_select(0, torch.argsort(self.order))


@torch.library.custom_op("ostinato::arrange", mutates_args=(), device_types="cpu")
def arrange(lengths: Tensor, steps: int, reverse: bool) -> list[Tensor]:
    """Return the layout of a batch as tensors: (index (T·B), place (T·B), order (B), rows (T)).

    `index` says where each laid-out row stands in the input, `place` where each row of the input is laid out (0 beyond
    its length), `rows` how many rows are alive at each step. ConfigError where the lengths do not fit.
    """
    batch = lengths.shape[0]
    found = layout(steps, batch, lengths, reverse, lengths.device)
    here: dict[str, Any] = {"dtype": torch.int64, "device": lengths.device}
    index = torch.arange(steps * batch, **here) if found.index is None else found.index
    order = torch.arange(batch, **here) if found.order is None else found.order
    place = torch.zeros(steps * batch, **here).index_copy_(0, index, torch.arange(len(index), **here))
    last = index[-1:] if len(index) else index.new_zeros(1)
    padding = last.expand(steps * batch - len(index))
    rows = torch.zeros(steps, **here)
    rows[: len(found.rows)] = torch.tensor(found.rows, **here)
    return [torch.cat([index, padding]), place, order.clone(), rows]


@arrange.register_fake
def _(lengths: Tensor, steps: int, reverse: bool) -> list[Tensor]:
    total = steps * lengths.shape[0]
    sizes = (total, total, lengths.shape[0], steps)
    return [torch.empty(size, dtype=torch.int64, device=lengths.device) for size in sizes]


@dataclass(frozen=True)
class _Loop:
    """One loop, as an operation of a graph is told of it: `rows` alive at each step (T), all where it is None."""

    rows: Tensor | None
    reset: Tensor | None
    equations: str
    constants: list[float]
    steps: int
    batch: int
    hoisted: bool
    keep: bool
    recompute: bool
    narrow: bool

    @property
    def wiring(self) -> Wiring:
        return _known(self.equations, self.hoisted).wiring(self.keep, self.reset is not None, self.recompute)

    def call(self, wiring: Wiring) -> LoopCall:
        if self.rows is None:
            rows = (self.batch,) * self.steps if self.batch else ()
        else:
            rows = tuple(n for n in self.rows.tolist() if n)
        constants = dict(zip(wiring.known.constants, self.constants, strict=True))
        reset = None if self.reset is None else self.reset.contiguous()
        room = self.steps * self.batch
        return LoopCall(wiring, rows, self.batch, constants, reset, self.recompute, room, self.narrow)

    def results(self, wiring: Wiring, save: bool) -> dict[str, tuple[int, int]]:
        """Return the names and shapes of what the operation returns."""
        states, total = wiring.known.passes.forward.carried, self.steps * self.batch
        widths = {all_of(c.name): c.size for c in states} | dict(wiring.made_by_forward)
        widths["saved"] = wiring.known.passes.saved_width
        last = {f"{c.name} last": (self.batch, c.size) for c in states}
        more = [name for name in wiring.saved if name not in {*wiring.tensors, *wiring.results}] if save else []
        return {name: last.get(name) or (total, widths[name]) for name in [*wiring.results, *more]}


@torch.library.custom_op("ostinato::loop", mutates_args=(), device_types="cpu")
def loop(
    tensors: list[Tensor],
    save: bool,
    rows: Tensor | None,
    reset: Tensor | None,
    equations: str,
    constants: list[float],
    steps: int,
    batch: int,
    hoisted: bool,
    keep: bool,
    recompute: bool,
    narrow: bool,
) -> list[Tensor]:
    """Return the results of the loop over `tensors` and, with `save`, what else its backward pass reads; see `Wiring`.

    What there is for every step has T·B rows.
    """
    this = _Loop(rows, reset, equations, constants, steps, batch, hoisted, keep, recompute, narrow)
    wiring = this.wiring
    call, shapes = this.call(wiring), this.results(wiring, save)
    if not call.rows:
        started = dict(zip(wiring.tensors, tensors, strict=True))
        made = {name: tensors[-1].new_zeros(shape) for name, shape in shapes.items()}
        made |= {f"{state} last": started[f"{state} start"].clone() for state in wiring.states}
    else:
        made = call.forward([t.contiguous() for t in tensors], save=save)[1]
        count = sum(call.rows)
        if count < steps * batch:
            for name in shapes.keys() - set(wiring.last):  # numbers that could be a row's, whatever reads them
                made[name][count:] = made[name][count - 1]
    return [made[name] for name in shapes]


@loop.register_fake
def _(tensors, save, *settings) -> list[Tensor]:
    this = _Loop(*settings)
    return [tensors[-1].new_empty(shape) for shape in this.results(this.wiring, save).values()]


@torch.library.custom_op("ostinato::loop_backward", mutates_args=(), device_types="cpu")
def loop_backward(
    arriving: Sequence[Tensor | None],
    saved: list[Tensor],
    rows: Tensor | None,
    reset: Tensor | None,
    equations: str,
    constants: list[float],
    steps: int,
    batch: int,
    hoisted: bool,
    keep: bool,
    recompute: bool,
    narrow: bool,
) -> list[Tensor]:
    """Return the gradients of the tensors that `loop` took, from those of its results and what it saved."""
    this = _Loop(rows, reset, equations, constants, steps, batch, hoisted, keep, recompute, narrow)
    wiring = this.wiring
    call, total = this.call(wiring), steps * batch
    given = dict(zip(wiring.arriving, arriving, strict=True))
    named: dict[str, Any] = {**wiring.absent, **dict(zip(wiring.saved, saved, strict=True))}
    if not call.rows:
        found = [like.new_zeros(like.shape) for like in _gradients_like(wiring, saved, total)]
        for state, at in ((s, wiring.gradients.index(f"d {s} start")) for s in wiring.states):
            arrived = given[f"d {state} last"]
            found[at] = found[at] if arrived is None else arrived.clone()
        return found
    count = sum(call.rows)
    named = {n: t if n not in wiring.over_time else _cut(t, count) for n, t in named.items()}
    given = {n: g if n not in wiring.gradients_over_time else _cut(g, count) for n, g in given.items()}
    given = {n: None if g is None else g.contiguous() for n, g in given.items()}
    found = zip(wiring.gradients, call.backward(named, given), strict=True)
    return [_extended(g, total) if name in wiring.gradients_over_time else g for name, g in found]  # type: ignore[misc]


@loop_backward.register_fake
def _(arriving, saved, *settings) -> list[Tensor]:
    this = _Loop(*settings)
    return _gradients_like(this.wiring, saved, this.steps * this.batch)


def _gradients_like(wiring: Wiring, saved: Sequence[Tensor], total: int) -> list[Tensor]:
    """Return tensors of the shapes that the gradients have."""
    named, widths = dict(zip(wiring.saved, saved, strict=True)), wiring.known.widths
    first = named[f"{wiring.states[0]} start"]
    return [
        first.new_empty(total, widths[name]) if name in wiring.known.given else torch.empty_like(named[name])
        for name in wiring.tensors
    ]


def _cut(tensor: Tensor | None, rows: int) -> Tensor | None:
    return None if tensor is None else tensor.narrow(0, 0, rows)


def _extended(gradient: Tensor | None, rows: int) -> Tensor | None:
    if gradient is None or len(gradient) == rows:
        return gradient
    return torch.cat([gradient, gradient.new_zeros(rows - len(gradient), *gradient.shape[1:])])


def _remember(ctx, inputs: tuple, output: list[Tensor]) -> None:
    tensors, ctx.save, rows, reset, *ctx.settings = inputs
    this = _Loop(rows, reset, *ctx.settings)
    wiring = this.wiring
    ctx.results = len(wiring.results)
    if ctx.save:
        named = dict(zip(wiring.tensors, tensors, strict=True))
        named |= zip(this.results(wiring, save=True), output, strict=True)
        ctx.save_for_backward(*(named[name] for name in wiring.saved), rows, reset)
    ctx.set_materialize_grads(False)


def _gradients(ctx, arriving: Sequence[Tensor | None]):
    if not ctx.save:
        raise EngineError(
            "ostinato::loop", "its gradient was asked for", "It was told to save nothing", "Use save=True"
        )
    *saved, rows, reset = ctx.saved_tensors
    found = loop_backward(list(arriving[: ctx.results]), saved, rows, reset, *ctx.settings)
    constants = None if ctx.settings[1] else []  # torch takes an empty list for one of tensors
    return found, None, None, None, None, constants, *[None] * 6


loop.register_autograd(_gradients, setup_context=_remember)


def _known(equations: str, hoisted: bool) -> Compiled:
    known = compiled(definition_of(equations), hoisted=hoisted)
    assert isinstance(known, Compiled)
    return known
