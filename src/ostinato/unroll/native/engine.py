"""The native engine: products with inputs before the loop, one compiled loop, weight gradients after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato._errors import EngineError
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import State
from ostinato.unroll.layout import Layout
from ostinato.unroll.native.compiled import Compiled, compiled
from ostinato.unroll.native.over_time import weight_gradient
from ostinato.unroll.native.passes import Block, Place, all_of


HOIST = True


def run(
    bound: BoundEquations,
    data: Tensor,
    state: State,
    layout: Layout,
    *,
    dt: Tensor | None = None,
    keep: bool = False,
    reset: Tensor | None = None,
):
    """Run the compiled loop along a layout; arguments and results as in `eager.run`.

    `reset` (N,) bool marks rows that take the cell's initial state before their step.
    """
    if not layout.rows:
        return data.new_zeros(0, bound.output_size), state, None
    known = compiled(bound.definition, hoisted=HOIST)
    assert isinstance(known, Compiled)
    compute = torch.float64 if data.dtype == torch.float64 else torch.float32
    values = {"x": data, **bound.fixed}
    if dt is not None:
        values["dt"] = dt.unsqueeze(-1)
    for part, program in ((known.once, known.parts.once), (known.before, known.parts.before)):
        if part is not None:
            labels = [label for label, _ in program.outputs]
            values |= zip(labels, part(values), strict=True)
    rows = sum(layout.rows)
    given = [_steps(values[name], rows, compute) for name in known.given]
    parameters = [values[name].to(compute).contiguous() for name in known.parameters]
    starts = [leaf.contiguous() for leaf in bound.definition.state_values(state)]
    initials: list[Tensor] = []
    if reset is not None and bool(reset.any()):
        fresh = bound.initial_state(layout.batch, device=data.device, dtype=compute)
        initials = [leaf.contiguous() for leaf in bound.definition.state_values(fresh)]
    call = _Call(known, layout.rows, layout.batch, dict(bound.constants), keep, reset if initials else None)
    tensors = (*given, *parameters, *starts, *initials)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        results = _Loop.apply(call, *tensors)
    else:
        results = call.forward(tensors, save=False)[0]
    made = dict(zip(call.results, results, strict=True))
    sequences = known.passes.sequences
    if known.after is None:
        outputs = made[sequences["y"]]
    else:
        values |= {value: made[sequences[label]] for label, value in known.parts.loop.outputs}
        outputs = known.after(values)[0]
    names = [s.name for s in known.passes.loop.program.states]
    last = bound.definition.pack_state([made[f"{name} last"] for name in names])
    states = bound.definition.pack_state([made[all_of(name)] for name in names]) if keep else None
    return outputs, last, states


def _steps(value: Tensor, rows: int, dtype: torch.dtype) -> Tensor:
    """Return what the loop takes at every step as (N, width)."""
    if value.dim() < 2:
        value = value.reshape(1, -1)
    return value.expand(rows, -1).to(dtype).contiguous()


@dataclass(frozen=True)
class _Call:
    """One call of the loop: what does not ask for a gradient."""

    known: Compiled
    rows: tuple[int, ...]
    batch: int
    constants: Mapping[str, float]
    keep: bool
    reset: Tensor | None

    @property
    def states(self) -> list[str]:
        return [c.name for c in self.known.passes.forward.carried]

    @property
    def sequences(self) -> list[str]:
        """Sequences that the caller gets."""
        labels = [label for label, _ in self.known.parts.loop.outputs]
        states = {f"{s}'" for s in self.states}
        read = {i.name for i in self.known.parts.after.inputs}
        values = dict(self.known.parts.loop.outputs)
        wanted = [label for label in labels if label not in states or self.keep or values[label] in read]
        return list(dict.fromkeys(self.known.passes.sequences[label] for label in wanted))

    @property
    def results(self) -> list[str]:
        return [*self.sequences, *(f"{s} last" for s in self.states)]

    def named(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a call under the names kernels know them by."""
        names = [*self.known.given, *self.known.parameters, *(f"{s} start" for s in self.states)]
        names += [f"{s} initial" for s in self.states] if self.reset is not None else []
        return dict(zip(names, tensors, strict=True))

    def forward(self, tensors: Sequence[Tensor], *, save: bool) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Return (results, everything the backward pass may read)."""
        passes, total = self.known.passes, sum(self.rows)
        named: dict[str, Any] = dict.fromkeys(("saved", *(f"{s} initial" for s in self.states)))
        named |= self.named(tensors)
        like = tensors[-1]
        wanted = set(self.sequences)
        for c in passes.forward.carried:
            kept = save or all_of(c.name) in wanted
            named[all_of(c.name)] = like.new_empty(total, c.size) if kept else None
            named[f"{c.name} last"] = like.new_empty(self.batch, c.size)
        for tensor, (width, _) in passes.forward.widths_written.items():
            if tensor != "saved":
                named[tensor] = like.new_empty(total, width)
        if save and passes.saved_width:
            named["saved"] = like.new_empty(total, passes.saved_width)
        kernel = self.known.kernel("forward", like.dtype)
        kernel(self.rows, self.batch, named, self.constants, reset=self.reset)
        return [named[name] for name in self.results], named

    def backward(self, named: dict[str, Any], arriving: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """Return the gradients of all tensors of the call, by name."""
        passes, total = self.known.passes, sum(self.rows)
        like = named[f"{self.states[0]} start"]
        found: dict[str, Any] = {f"d {all_of(s)}": None for s in self.states}
        found |= {f"d {name}": g for name, g in arriving.items()}
        for c in passes.backward.carried:
            found[f"d {c.name} start"] = like.new_empty(self.batch, c.size)
            found[f"d {c.name} initial"] = None if self.reset is None else like.new_zeros(self.batch, c.size)
        for tensor, (width, written) in passes.backward.widths_written.items():
            # what the loop leaves out of a tensor has no gradient through it
            found[tensor] = (like.new_empty if written == width else like.new_zeros)(total, width)
        for value, size in passes.backward.totals.items():
            found[f"sum {value}"] = like.new_empty(size or 1)
        kernel = self.known.kernel("backward", like.dtype)
        kernel(self.rows, self.batch, {**named, **found}, self.constants, reset=self.reset)
        return found


class _Loop(torch.autograd.Function):
    """The loop between what comes before it and after it."""

    @staticmethod
    def forward(ctx, call: _Call, *tensors: Tensor):
        results, named = call.forward(tensors, save=True)
        read = _read_by_backward(call)
        ctx.names = [n for n, t in named.items() if isinstance(t, Tensor) and n in read]
        ctx.call = call
        ctx.save_for_backward(*(named[n] for n in ctx.names))
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx, *gradients: Tensor | None):
        call: _Call = ctx.call
        if torch.is_grad_enabled():
            raise EngineError(
                "engine 'native'",
                "the gradient of a gradient was asked for",
                "Its backward pass is compiled and has no derivative of its own",
                "Use engine='eager'",
            )
        named = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        named |= {f"{s} initial": named.get(f"{s} initial") for s in call.states}
        arriving = {n: None if g is None else g.contiguous() for n, g in zip(call.results, gradients, strict=True)}
        found = call.backward(named, arriving)
        known = call.known
        result = [found.get(f"d {name}") for name in known.given]
        result += [_parameter_gradient(call, name, named, found) for name in known.parameters]
        result += [found[f"d {s} start"] for s in call.states]
        result += [found[f"d {s} initial"] for s in call.states] if call.reset is not None else []
        return None, *result


def _read_by_backward(call: _Call) -> set[str]:
    made = call.known.passes.backward
    read = {p.tensor for p in (*made.reads.values(), *made.vectors.values())}
    read |= {m.tensor for m in made.matrices.values()}
    read |= {b.right.tensor for b in call.known.passes.blocks if isinstance(b.right, Place)}
    for s in call.states:
        read |= {all_of(s), f"{s} start", f"{s} initial"}
    return read | set(call.known.parameters)


def _parameter_gradient(call: _Call, tensor: str, named: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Tensor:
    passes = call.known.passes
    whole = named[tensor]
    blocks = [b for b in passes.joined_blocks if b.tensor == tensor]
    if len(blocks) == 1 and blocks[0].left.size == len(whole):
        return _block_gradient(call, blocks[0], named, found, whole.new_empty(whole.shape), adds=False)
    gradient = torch.zeros_like(whole)
    for block in blocks:
        _block_gradient(call, block, named, found, gradient[block.start : block.start + block.left.size], adds=True)
    for name, values in passes.vector_gradients.items():
        piece = passes.loop.pieces[name]
        if piece.tensor == tensor:
            for value in values:
                part = found[f"sum {value}"]
                if gradient.dim():
                    gradient[piece.start : piece.start + len(part)] += part
                else:
                    gradient += part[0]
    return gradient


def _block_gradient(
    call: _Call, block: Block, named: Mapping[str, Tensor], found: Mapping[str, Tensor], to: Tensor, *, adds: bool
) -> Tensor:
    """Put the gradient of a block of a matrix into `to`, or add it."""
    place = block.left
    left = found[place.tensor][:, place.start : place.start + place.size]
    right = block.right
    if isinstance(right, Place):
        whole = found[right.tensor] if right.tensor in found else named[right.tensor]
        return weight_gradient(left, whole[:, right.start : right.start + right.size], to, adds=adds)
    every, start, rows = named[all_of(right)], named[f"{right} start"], call.rows
    if rows[-1] != rows[0] or call.reset is not None:
        return weight_gradient(left, _before_each_step(call, right, named), to, adds=adds)
    if len(every) > rows[0]:
        weight_gradient(left[rows[0] :], every[: -rows[0]], to, adds=adds)
    return weight_gradient(left[: rows[0]], start[: rows[0]], to, adds=adds or len(every) > rows[0])


def _before_each_step(call: _Call, state: str, named: Mapping[str, Tensor]) -> Tensor:
    """Return a state before each step of each row."""
    every, start, rows = named[all_of(state)], named[f"{state} start"], call.rows
    counts = torch.tensor(rows)
    step = torch.repeat_interleave(torch.arange(len(rows)), counts)
    earlier = torch.cat([counts.new_tensor([len(start)]), counts[:-1]])
    index = torch.arange(len(every)) + len(start) - earlier[step]
    sources = [start, every]
    if call.reset is not None:
        row = torch.arange(len(every)) - (torch.cumsum(counts, 0) - counts)[step]
        index = torch.where(call.reset, row + len(start) + len(every), index)
        sources.append(named[f"{state} initial"])
    return torch.cat(sources).index_select(0, index)
