"""The native engine: one compiled loop, what can be done for all steps at once before it, weight gradients after it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ostinato._errors import EngineError
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, State
from ostinato.cells.reading import BoundReading
from ostinato.unroll.devices import check_weights
from ostinato.unroll.layout import Layout
from ostinato.unroll.native import memory
from ostinato.unroll.native.asked import more_than_numbers
from ostinato.unroll.native.compiled import Compiled, Wiring, compiled
from ostinato.unroll.native.over_time import WeightGradient, add_weight_gradients
from ostinato.unroll.native.passes import Block, Place, all_of

AGAIN = 1 << 22
"""How many numbers of what was not saved are computed again at a time."""
MANY_ROWS = 12
"""With as many rows a step, products with the input are faster inside the loop: weights are near by then."""


def run(
    bound: BoundEquations | BoundReading | BoundCell,
    data: Tensor,
    state: State,
    layout: Layout,
    *,
    dt: Tensor | None = None,
    keep: bool = False,
    reset: Tensor | None = None,
    recompute: bool = False,
):
    """Run the compiled loop along a layout; arguments and results as in `eager.run`.

    `reset` (N,) bool marks rows that take the cell's initial state before their step. With `recompute` only states are
    kept for the backward pass, which computes the rest again.
    """
    if not layout.rows:
        return data.new_zeros(0, bound.output_size), state, None
    if isinstance(bound, BoundCell):
        bound = BoundReading(bound)
        check_weights(bound.tensors, data.device)
    known = compiled(bound.definition, hoisted=not recompute and is_hoisted(bound, data, len(layout.rows)))
    assert isinstance(known, Compiled)
    compute = torch.float64 if data.dtype == torch.float64 else torch.float32
    narrow = is_narrow(bound, data)
    starts = [leaf.contiguous() for leaf in bound.definition.state_values(state)]
    asking = torch.is_grad_enabled() and any(t.requires_grad for t in (data, *bound.tensors.values(), *starts))
    known.build(compute, backward=asking, narrow=narrow)
    values = known.before_loop(bound, data, dt)
    given = [sequence_of(values[name], len(data), compute) for name in known.given]
    parameters = [torch.as_tensor(values[name], dtype=compute, device="cpu").contiguous() for name in known.parameters]
    initials: list[Tensor] = []
    if reset is not None and bool(reset.any()):
        fresh = bound.initial_state(layout.batch, device=data.device, dtype=compute)
        initials = [leaf.contiguous() for leaf in bound.definition.state_values(fresh)]
    wiring = known.wiring(keep, bool(initials), recompute)
    constants = {name: float(values[value]) for name, value in known.constants.items()}
    flags, options = reset if initials else None, {"recompute": recompute, "narrow": narrow}
    call = LoopCall(wiring, layout.rows, layout.batch, constants, flags, **options)
    tensors = (*given, *parameters, *starts, *initials)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        results = _Loop.apply(call, *tensors)
    else:
        results = call.forward(tensors, save=False)[0]
    made = dict(zip(wiring.results, results, strict=True))
    outputs = known.after_loop(values, made)
    last = bound.definition.pack_state([made[name] for name in wiring.last])
    states = bound.definition.pack_state([made[all_of(s)] for s in wiring.states]) if keep else None
    return outputs, last, states


def is_hoisted(bound: BoundEquations | BoundReading, data: Tensor, steps: int) -> bool:
    """Return whether products with the input are done before the loop.

    They are where steps have few rows, where the input is much wider than the state, and where nobody asks for its
    gradient, which the loop would work out.
    """
    is_wide = data.shape[1] > 2 * max(bound.definition.states.values())
    is_last = torch.is_grad_enabled() and not data.requires_grad
    return data.shape[0] < MANY_ROWS * steps or is_wide or is_last


def is_narrow(bound: BoundEquations | BoundReading, data: Tensor) -> bool:
    """Return whether products take bfloat16: where the eager ones would."""
    if torch.is_autocast_enabled("cpu") and data.dtype == torch.float32:
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return data.dtype == torch.bfloat16 and all(t.dtype == torch.bfloat16 for t in bound.tensors.values())


def sequence_of(value: Tensor | float, rows: int, dtype: torch.dtype) -> Tensor:
    """Return what the loop takes at every step as (N, width)."""
    value = torch.as_tensor(value, device="cpu")
    if value.dim() < 2:
        value = value.reshape(1, -1).expand(rows, -1)
    return value.to(dtype).contiguous()


@dataclass(frozen=True)
class LoopCall:
    """One call of the loop: what does not ask for a gradient."""

    wiring: Wiring
    rows: tuple[int, ...]
    batch: int
    constants: Mapping[str, float]
    reset: Tensor | None
    recompute: bool = False
    room: int = 0
    """How many rows that which is made has, where it is more than the rows there are."""
    narrow: bool = False
    """Whether products take bfloat16; their sums, states and what is saved are float32 all the same."""

    def forward(self, tensors: Sequence[Tensor], *, save: bool) -> tuple[list[Tensor], dict[str, Any]]:
        """Return (results, all tensors by name)."""
        wiring, passes, room = self.wiring, self.wiring.known.passes, self.room or sum(self.rows)
        named: dict[str, Any] = {**wiring.absent, **dict(zip(wiring.tensors, tensors, strict=True))}
        like = tensors[-1]
        for name, width in wiring.made_by_forward:
            named[name] = memory.fresh(like, room, width)
        for c in passes.forward.carried:
            named[f"{c.name} last"] = like.new_empty(self.batch, c.size)
            if save and named[all_of(c.name)] is None:
                named[all_of(c.name)] = memory.take(like.dtype, room, c.size)
        if save and passes.saved_width and not self.recompute:
            named["saved"] = memory.take(like.dtype, room, passes.saved_width)
        kernel = wiring.known.kernel("forward", like.dtype, narrow=self.narrow)
        kernel(self.rows, self.batch, named, self.constants, reset=self.reset)
        return [named[name] for name in wiring.results], named

    def backward(self, named: dict[str, Any], arriving: Mapping[str, Tensor | None]) -> list[Tensor | None]:
        """Return the gradients of all tensors of the call."""
        wiring, made, total = self.wiring, self.wiring.known.passes.backward, sum(self.rows)
        like = named[f"{wiring.states[0]} start"]
        found: dict[str, Any] = {**wiring.absent_gradients, **arriving}
        for c in made.carried:
            found[f"d {c.name} start"] = like.new_empty(self.batch, c.size)
            found[f"d {c.name} initial"] = None if self.reset is None else like.new_zeros(self.batch, c.size)
        for tensor, (width, written) in made.widths_written.items():
            if tensor.startswith("d "):  # what the loop leaves out of a tensor has no gradient through it
                found[tensor] = memory.fresh(like, total, width) if written == width else like.new_zeros(total, width)
        gradients = {name: like.new_zeros(named[name].shape) for name in wiring.known.parameters}
        if not self.recompute:
            self._back(named, found, gradients)
        else:
            for first, last in reversed(self._pieces()):
                self._back_again(first, last, named, found, gradients)
        return [found[name] if name in found else gradients.get(name[2:]) for name in wiring.gradients]

    def _back(self, named: dict[str, Any], found: dict[str, Any], gradients: dict[str, Tensor]) -> None:
        """Run the backward loop: put gradients into `found`, and add those of parameters to `gradients`."""
        wiring, made, total = self.wiring, self.wiring.known.passes.backward, sum(self.rows)
        like = named[f"{wiring.states[0]} start"]
        own = {t: memory.take(like.dtype, total, w) for t, (w, _) in made.widths_written.items() if t not in found}
        found = {**found, **own}
        sums = like.new_empty(sum(size or 1 for size in made.totals.values()))
        places = {}
        for value, size in made.totals.items():
            places[value] = sums.narrow(0, sum(len(p) for p in places.values()), size or 1)
        kernel = wiring.known.kernel("backward", like.dtype, narrow=self.narrow)
        totals = {f"sum {value}": place for value, place in places.items()}
        kernel(self.rows, self.batch, {**named, **found, **totals}, self.constants, reset=self.reset)
        for value, tensor, start in wiring.totals:
            gradients[tensor].view(-1).narrow(0, start, len(places[value])).add_(places[value])
        blocks = wiring.known.passes.joined_blocks
        add_weight_gradients([self._weight_gradient(b, named, found, gradients[b.tensor]) for b in blocks])

    def _pieces(self) -> list[tuple[int, int]]:
        """Cut the steps into pieces, so that what is computed again of one is small."""
        width, pieces, first, rows = self.wiring.known.passes.saved_width, [], 0, 0
        for step, alive in enumerate(self.rows):
            if rows and (rows + alive) * width > AGAIN:
                pieces.append((first, step))
                first, rows = step, 0
            rows += alive
        return [*pieces, (first, len(self.rows))]

    def _back_again(
        self, first: int, last: int, named: dict[str, Any], found: dict[str, Any], gradients: dict[str, Tensor]
    ) -> None:
        """Compute again what steps [first, last) would have saved, all of them at once, and go back through them.

        All states are known, so that a step waits for no other: they are one step of many rows.
        """
        wiring, passes = self.wiring, self.wiring.known.passes
        start, count = sum(self.rows[:first]), sum(self.rows[first:last])
        before = {s: self._before_each_step(s, named, start, count) for s in wiring.states}
        part = {name: _cut(tensor, start, count) for name, tensor in named.items() if name in wiring.over_time}
        like = named[f"{wiring.states[0]} start"]
        part["saved"] = memory.take(like.dtype, count, passes.saved_width)
        once: dict[str, Any] = {**named, **part, **{f"{s} start": value for s, value in before.items()}}
        for name, width in [*wiring.made_by_forward, *((f"{c.name} last", c.size) for c in passes.forward.carried)]:
            once[name] = memory.take(like.dtype, count, width)
        wiring.known.kernel("forward", like.dtype, narrow=self.narrow)((count,), count, once, self.constants)
        reset = None if self.reset is None else self.reset[start : start + count]
        piece = replace(self, rows=self.rows[first:last], reset=reset, recompute=False)
        own = {**named, **part, **{f"{s} start": value for s, value in before.items()}}
        gradient = {
            name: _cut(g, start, count) if name in wiring.gradients_over_time else g for name, g in found.items()
        }
        if last < len(self.rows):  # the gradient goes on where the later piece left it
            gradient |= {f"d {s} last": found[f"d {s} start"].clone() for s in wiring.states}
        piece._back(own, gradient, gradients)

    def _weight_gradient(
        self, block: Block, named: Mapping[str, Any], found: Mapping[str, Any], gradient: Tensor
    ) -> WeightGradient:
        """Return what is to be added to the gradient of a matrix for one of its blocks."""
        place, right, rows = block.left, block.right, self.rows
        to = gradient.narrow(0, block.start, place.size)
        left = found[place.tensor].narrow(1, place.start, place.size)
        if isinstance(right, Place):
            whole = found[right.tensor] if right.tensor in found else named[right.tensor]
            return WeightGradient(to, left, whole.narrow(1, right.start, right.size))
        if rows[-1] != rows[0] or self.reset is not None:
            return WeightGradient(to, left, self._before_each_step(right, named, 0, len(left)))
        return WeightGradient(to, left, named[all_of(right)], named[f"{right} start"].narrow(0, 0, rows[0]))

    def _before_each_step(self, state: str, named: Mapping[str, Any], start: int, count: int) -> Tensor:
        """Return a state before the step of each row, for `count` rows of all steps from `start` on."""
        every, first, initial = named[all_of(state)], named[f"{state} start"], named[f"{state} initial"]
        index = _earlier(self.rows)[start : start + count]
        found = every.index_select(0, index.clamp(min=0))
        from_first = max(0, min(count, self.rows[0] - start))
        found[:from_first] = first[start : start + from_first]
        if self.reset is not None:
            row = (torch.arange(len(every), device="cpu") - _offsets(self.rows))[start : start + count]
            found = torch.where(self.reset[start : start + count, None], initial.index_select(0, row), found)
        return found


def _cut(tensor: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if tensor is None else tensor.narrow(0, start, count)


class _Loop(torch.autograd.Function):
    """The loop between what comes before it and after it."""

    @staticmethod
    def forward(ctx, call: LoopCall, *tensors: Tensor):
        results, named = call.forward(tensors, save=True)
        ctx.call = call
        ctx.save_for_backward(*(named[name] for name in call.wiring.saved))
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx, *gradients: Tensor | None):
        asked = more_than_numbers(*gradients)
        if asked:
            why = "Its backward pass is compiled: it has no derivative of its own, and takes one gradient at a time"
            raise EngineError("engine 'native'", asked, why, "Use engine='eager'")
        call: LoopCall = ctx.call
        named = {**call.wiring.absent, **dict(zip(call.wiring.saved, ctx.saved_tensors, strict=True))}
        names = call.wiring.arriving
        arriving = {n: None if g is None else g.contiguous() for n, g in zip(names, gradients, strict=True)}
        return None, *call.backward(named, arriving)


def _steps_of(rows: tuple[int, ...]) -> Tensor:
    """Return which step each row of all steps belongs to."""
    counts = torch.tensor(rows, device="cpu")
    return torch.repeat_interleave(torch.arange(len(rows), device="cpu"), counts)


@functools.lru_cache(maxsize=16)
def _offsets(rows: tuple[int, ...]) -> Tensor:
    """Return, for each row of all steps, where its step begins."""
    counts = torch.tensor(rows, device="cpu")
    return (torch.cumsum(counts, 0) - counts)[_steps_of(rows)]


@functools.lru_cache(maxsize=16)
def _earlier(rows: tuple[int, ...]) -> Tensor:
    """Return, for each row of all steps, where its step before stands; negative for the first step."""
    counts = torch.tensor(rows, device="cpu")
    earlier = torch.cat([counts[:1], counts[:-1]])
    return torch.arange(sum(rows), device="cpu") - earlier[_steps_of(rows)]
