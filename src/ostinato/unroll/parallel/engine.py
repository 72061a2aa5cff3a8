"""A step that is linear in its states, for all steps at once: scan after scan, what each takes computed before it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, State
from ostinato.cells.definition import Definition
from ostinato.cells.reading import BoundReading, Reading
from ostinato.equations.linear import Group, Linear, linear
from ostinato.equations.program import Program
from ostinato.equations.torch_reader import compile_torch
from ostinato.unroll.layout import Layout
from ostinato.unroll.parallel.order import Order
from ostinato.unroll.parallel.scan import ByMatrix, ByUnits, Coefficients, scan


class Scans:
    """What the engine knows of one definition: its programs, ready to run."""

    def __init__(self, definition: Definition | Reading, found: Linear):
        self.new, self.groups = found.new, found.groups
        numbers = definition.numbers
        self.readers = [
            (_labels(p), compile_torch(p, numbers)) for p in (*(g.program for g in self.groups), found.after)
        ]
        self.maps = [None if g.map is None else compile_torch(g.map, numbers) for g in self.groups]
        self.y = definition.fused.output("y")
        read = {i.name for g in self.groups for i in g.program.inputs} | {i.name for i in found.after.inputs}
        self.read_before = read & self.new.keys()


def _labels(program: Program) -> list[str]:
    return [label for label, _ in program.outputs]


@functools.lru_cache(maxsize=256)
def scans(definition: Definition | Reading) -> Scans | str:
    """Return what is known of a definition, or in a clause why it is no scan."""
    found = linear(definition.fused)
    return found if isinstance(found, str) else Scans(definition, found)


def run(
    bound: BoundEquations | BoundReading | BoundCell,
    data: Tensor,
    state: State,
    layout: Layout,
    *,
    dt: Tensor | None = None,
    keep: bool = False,
    reset: Tensor | None = None,
):
    """Find all steps along a layout; arguments and results as in `eager.run`.

    `reset` (N,) bool marks rows that take the cell's initial state before their step.
    """
    if not layout.rows:
        return data.new_zeros(0, bound.output_size), state, None
    bound = BoundReading(bound) if isinstance(bound, BoundCell) else bound
    definition = bound.definition
    known = scans(definition)
    assert isinstance(known, Scans)
    compute = torch.float64 if data.dtype == torch.float64 else torch.float32
    order = Order(layout, reset, data.device)
    starts = dict(zip(definition.states, definition.state_values(state), strict=True))
    initials = starts
    if order.resets:
        fresh = bound.initial_state(layout.batch, device=data.device, dtype=compute)
        initials = dict(zip(definition.states, definition.state_values(fresh), strict=True))
    values: dict[str, Any] = {**bound.parts(data), **bound.fixed}
    if dt is not None:
        values["dt"] = dt.unsqueeze(-1)
    after: dict[str, Tensor] = {}
    for group, (labels, reader), step in zip(known.groups, known.readers, known.maps, strict=False):
        values |= zip(labels, reader(values), strict=True)
        first, anew = ([s[name] for name in group.states] for s in (starts, initials))
        with _full_precision(data.device.type):
            columns = _Found(order, group, values, first, anew, compute).states(step)
        for k, name in enumerate(group.states):
            after[name] = order.back(columns[k])
            values.setdefault(known.new[name], after[name])
            if name in known.read_before:
                values[name] = order.back(order.before(columns[k], first[k], anew[k]))
    labels, reader = known.readers[-1]
    values |= zip(labels, reader(values), strict=True)
    outputs = torch.as_tensor(values[known.y])
    outputs = outputs.expand(len(data), -1) if outputs.dim() < 2 else outputs
    last = definition.pack_state([order.last(after[name], starts[name]) for name in definition.states])
    return outputs, last, definition.pack_state([after[name] for name in definition.states]) if keep else None


def _full_precision(device: str):
    """Return what keeps autocast from a scan: the states stay in the type of the compute."""
    return (
        torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else contextlib.nullcontext()
    )


class _Found:
    """Finds one group's states after every step, in the order of the scan."""

    def __init__(
        self,
        order: Order,
        group: Group,
        values: dict[str, Any],
        first: Sequence[Tensor],
        anew: Sequence[Tensor],
        dtype: torch.dtype,
    ):
        self.order, self.group, self.values, self.dtype = order, group, values, dtype
        self.first, self.anew = first, anew
        self.sizes = [leaf.shape[1] for leaf in first]

    def states(self, step) -> Sequence[Tensor]:
        """Return (S, R, n) of each state; `step` runs the group's map, where it has one."""
        offsets = [
            self._spread(v).expand(*self.order.shape, n) for v, n in zip(self.group.offsets, self.sizes, strict=True)
        ]
        if not self.group.is_scanned:
            return offsets
        if step is not None:
            found = self._scanned(ByMatrix((self._matrix(step),)), offsets)
            return found[0].split(self.sizes, -1)
        tensors: list[Tensor] = []
        entries = tuple(tuple(self._entry(c, tensors) for c in row) for row in self.group.coefficients)
        return self._scanned(ByUnits(entries, tuple(tensors)), offsets).unbind(0)

    def _scanned(self, coefficients: Coefficients, leaves: Sequence[Tensor]) -> Tensor:
        order, offsets = self.order, self._joined(leaves)
        start = self._joined(order.starting(self.first))
        if order.cut is None:
            return scan(coefficients, offsets, start)
        entering = [order.entering(a, b) for a, b in zip(self.first, self.anew, strict=True)]
        flat = offsets.flatten(1, 2)
        passed = order.at_cuts(coefficients).apply(self._joined(entering), flat[:, order.cuts])
        return scan(coefficients, flat.index_copy(1, order.cuts, passed).view_as(offsets), start, order.cut)

    def _joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """Return states as a scan takes them: (k, …, n), or where a matrix meets them all, (1, …, sum of n)."""
        return torch.stack(list(leaves)) if self.group.map is None else torch.cat(list(leaves), -1).unsqueeze(0)

    def _entry(self, coefficient: str | float, tensors: list[Tensor]) -> int | None:
        if coefficient == 0.0:
            return None
        tensors.append(self._spread(coefficient))
        return len(tensors) - 1

    def _spread(self, value: str | float) -> Tensor:
        """Return a value in the order of the scan; (1, 1, n) where it is the same at every step."""
        value = self.values[value] if isinstance(value, str) else value
        found = torch.as_tensor(value, dtype=self.dtype, device=self.first[0].device)
        return self.order.spread(found) if found.dim() > 1 else found.reshape(1, 1, -1)

    def _matrix(self, step) -> Tensor:
        """Return the matrix of the group's map, which a row of its states meets from the left."""
        assert self.group.map is not None
        like, total = self.first[0], sum(self.sizes)
        basis = torch.eye(total, dtype=self.dtype, device=like.device).split(self.sizes, 1)
        given = {**self.values, **dict(zip(self.group.states, basis, strict=True))}
        made = dict(zip(_labels(self.group.map), step(given), strict=True))
        columns = [made.get(f"{s}'", like.new_zeros(1, 1)).to(self.dtype) for s in self.group.states]
        return torch.cat([c.expand(total, n) for c, n in zip(columns, self.sizes, strict=True)], 1)
