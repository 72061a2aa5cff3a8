"""A linear recurrence over time, h_t = A_t h_(t-1) + b_t, all steps at once in work proportional to their number.

    states  | · · · · | · · · · | · · · · |     chunks of a few steps
    1.      what each chunk does to any state: one factor and one offset a chunk, step by step for all chunks at once
    2.      the states between chunks: the same recurrence, shorter
    3.      the states inside them: step by step for all chunks at once, each from its right start

Nothing is divided by a product of coefficients and no logarithm is taken: products of gates fade to zero, and there
they belong. The states within a chunk are computed as a loop would compute them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

CHUNK = 16
"""Steps that are taken one after the other at each level."""


class Coefficients(Protocol):
    """A_t for all steps: how a state follows from the one before it. States are (k, …, n), steps stand second."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What it is made of, as gradients are asked for it."""
        ...

    def of(self, tensors: Sequence[Tensor]) -> Coefficients:
        """Return the same with other tensors."""
        ...

    def part(self, steps: slice) -> Coefficients:
        """Return those of some steps."""
        ...

    def chunks(self, count: int) -> Coefficients:
        """Return them in so many chunks."""
        ...

    def at(self, k: int) -> Coefficients:
        """Return those of step k of every chunk, or of step k where there are no chunks."""
        ...

    def apply(self, state: Tensor, offset: Tensor, out: Tensor | None = None) -> Tensor:
        """Return A h + b."""
        ...

    def after(self, first: Coefficients, cut: Tensor | None) -> Coefficients:
        """Return what these do after `first`, nothing of which passes where `cut`."""
        ...

    def transposed(self) -> Coefficients:
        """Return what carries gradients back."""
        ...

    def gradients(self, g: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        """Return those of `tensors`: `g` arrives at the states that follow from those `before`."""
        ...


@dataclass(frozen=True)
class ByUnits:
    """A block of k by k coefficients for each unit: `entries[i][j]` is where in `tensors` that from j to i stands.

    A tensor is (steps, rows, n), and each of these may be 1: the same for all.
    """

    entries: tuple[tuple[int | None, ...], ...]
    tensors: tuple[Tensor, ...]

    def of(self, tensors: Sequence[Tensor]) -> ByUnits:
        return ByUnits(self.entries, tuple(tensors))

    def part(self, steps: slice) -> ByUnits:
        return self.of([t if t.shape[0] == 1 else t[steps] for t in self.tensors])

    def chunks(self, count: int) -> ByUnits:
        return self.of([t.unsqueeze(0) if len(t) == 1 else t.unflatten(0, (count, -1)) for t in self.tensors])

    def at(self, k: int) -> ByUnits:
        return self.of([t.select(-3, k if t.shape[-3] > 1 else 0) for t in self.tensors])

    def apply(self, state: Tensor, offset: Tensor, out: Tensor | None = None) -> Tensor:
        rows = []
        for i, row in enumerate(self.entries):
            total, place = offset[i], None if out is None else out[i]
            for j, entry in enumerate(row):
                if entry is not None:
                    total = torch.addcmul(total, self.tensors[entry], state[j], out=place)
            if place is not None and total is not place:
                place.copy_(total)
            rows.append(total)
        return torch.stack(rows) if out is None else out

    def after(self, first: Coefficients, cut: Tensor | None) -> ByUnits:
        assert isinstance(first, ByUnits)
        earlier = first.tensors if cut is None else [torch.where(cut, 0.0, t) for t in first.tensors]
        k, entries, tensors = len(self.entries), [], []
        for i in range(k):
            entries.append(row := [])
            for j in range(k):
                total = None
                for m in range(k):
                    a, b = self.entries[i][m], first.entries[m][j]
                    if a is not None and b is not None:
                        x, y = self.tensors[a], earlier[b]
                        total = x * y if total is None else torch.addcmul(total, x, y)
                row.append(None if total is None else len(tensors))
                tensors += [] if total is None else [total]
        return ByUnits(tuple(map(tuple, entries)), tuple(tensors))

    def transposed(self) -> ByUnits:
        return ByUnits(tuple(zip(*self.entries, strict=True)), self.tensors)

    def gradients(self, g: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        found: dict[int, Tensor] = {}
        for i, row in enumerate(self.entries):
            for j, entry in enumerate(row):
                if entry is not None:
                    product = (g[i] * before[j]).sum_to_size(self.tensors[entry].shape)
                    found[entry] = found[entry] + product if entry in found else product
        return tuple(found[entry] for entry in range(len(self.tensors)))


@dataclass(frozen=True)
class ByMatrix:
    """One matrix (n, n) for all steps; a state is a row, h_t = h_(t-1) M + b_t."""

    tensors: tuple[Tensor, ...]

    @property
    def matrix(self) -> Tensor:
        return self.tensors[0]

    def of(self, tensors: Sequence[Tensor]) -> ByMatrix:
        return ByMatrix(tuple(tensors))

    def part(self, steps: slice) -> ByMatrix:
        return self

    def chunks(self, count: int) -> ByMatrix:
        return self

    def at(self, k: int) -> ByMatrix:
        return self

    def apply(self, state: Tensor, offset: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.add(offset, state @ self.matrix, out=out)

    def after(self, first: Coefficients, cut: Tensor | None) -> ByMatrix:
        assert isinstance(first, ByMatrix)
        return ByMatrix((first.matrix @ self.matrix,))

    def transposed(self) -> ByMatrix:
        return ByMatrix((self.matrix.t(),))

    def gradients(self, g: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        return (before.flatten(0, -2).t() @ g.flatten(0, -2),)


def scan(
    coefficients: Coefficients, offsets: Tensor, start: Tensor, cut: Tensor | None = None, *, reverse: bool = False
) -> Tensor:
    """Return the states (k, T, R, n) after every step; with `reverse` each step follows from the one behind it.

        for t in range(T):
            h = where(cut[t], 0, h)
            h = A[t] h + offsets[:, t]

    offsets (k, T, R, n), start (k, R, n), cut (T, R, 1) bool. Differentiable as often as one likes.
    """
    if not offsets.shape[1]:
        return offsets
    return _Scan.apply(coefficients, cut, reverse, offsets, start, *coefficients.tensors)  # type: ignore[return-value]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, coefficients: Coefficients, cut: Tensor | None, reverse: bool, offsets, start, *tensors):
        found = _states(coefficients.of(tensors), offsets, start, cut, reverse)
        ctx.coefficients, ctx.reverse = coefficients.of(()), reverse
        ctx.save_for_backward(cut, start, found, *tensors)
        return found

    @staticmethod
    def backward(ctx, arriving: Tensor):
        cut, start, found, *tensors = ctx.saved_tensors
        coefficients: Coefficients = ctx.coefficients.of(tensors)
        first, last = slice(0, 1), slice(-1, None)
        but_first, but_last = slice(1, None), slice(0, -1)
        if ctx.reverse:
            first, last, but_first, but_last = last, first, but_last, but_first
        # the gradient of a state is what arrives there, and what comes back from the step that read it
        back, edge = coefficients.transposed(), arriving[:, last]
        readers = None if cut is None else cut[but_first]
        others = scan(back.part(but_first), arriving[:, but_last], edge.squeeze(1), readers, reverse=not ctx.reverse)
        g = torch.cat([edge, others] if ctx.reverse else [others, edge], 1)
        d_start = back.part(first).at(0).apply(g[:, first].squeeze(1), torch.zeros_like(start))
        start, found = start.unsqueeze(1), found[:, but_last]
        before = torch.cat([found, start] if ctx.reverse else [start, found], 1)
        if cut is not None:
            d_start, before = d_start.masked_fill(cut[first].squeeze(0), 0.0), before.masked_fill(cut, 0.0)
        return None, None, None, g, d_start, *coefficients.gradients(g, before)


def _states(a: Coefficients, b: Tensor, start: Tensor, cut: Tensor | None, reverse: bool) -> Tensor:
    """Return the states after every step."""
    steps = b.shape[1]
    out = torch.empty_like(b, memory_format=torch.contiguous_format)
    count = steps // CHUNK
    whole = count * CHUNK if count > 1 else 0
    chunked, rest = slice(0, whole), range(whole, steps)
    if reverse:
        chunked, rest = slice(steps - whole, steps), range(steps - whole - 1, -1, -1)
    state = start
    if whole:
        offsets, places = (t[:, chunked].unflatten(1, (count, -1)) for t in (b, out))
        cuts = None if cut is None else cut[chunked].unflatten(0, (count, -1))
        state = _chunks(a.part(chunked).chunks(count), offsets, places, start, cuts, reverse)
    for t in rest:
        state = a.at(t).apply(_kept(state, cut, t), b[:, t], out[:, t])
    return out


def _chunks(a: Coefficients, b: Tensor, out: Tensor, start: Tensor, cut: Tensor | None, reverse: bool) -> Tensor:
    """Put the states of chunks, (k, count, CHUNK, R, n), into `out`; return the one after all of them."""
    order = range(CHUNK - 1, -1, -1) if reverse else range(CHUNK)
    factor, offset = a.at(order[0]), b[:, :, order[0]]
    for k in order[1:]:
        here = a.at(k)
        offset = here.apply(_kept(offset, cut, k), b[:, :, k], torch.empty_like(offset))
        factor = here.after(factor, None if cut is None else cut[:, k])
    ends = _states(factor, offset, start, None if cut is None else cut.any(1), reverse)
    first = start.unsqueeze(1)
    state = torch.cat([ends[:, 1:], first] if reverse else [first, ends[:, :-1]], 1)
    for k in order:
        state = a.at(k).apply(_kept(state, cut, k), b[:, :, k], out[:, :, k])
    return ends[:, 0 if reverse else -1]


def _kept(state: Tensor, cut: Tensor | None, k: int) -> Tensor:
    """Return what of a state goes into step k."""
    return state if cut is None else state.masked_fill(cut.select(-3, k), 0.0)
