"""The order of a scan: rows side by side where all are equally long, else one behind the other, each begun anew.

A layout has the rows of step 0, then those of step 1, …. Where every step has as many, that is (steps, rows) already.
Where rows end at different steps they are laid one after the other, (all steps of all rows, 1), so that no step is
computed that nobody wants; the scan is cut where a row begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.unroll.layout import Layout
from ostinato.unroll.parallel.scan import ByUnits, Coefficients


class Order:
    """Where a laid-out row stands in the scan, and where something else than the step before goes into a step."""

    def __init__(self, layout: Layout, reset: Tensor | None, device: torch.device):
        rows = layout.rows
        self.steps, self.rows, self.count = len(rows), rows[0], sum(rows)
        self.is_even = rows[-1] == rows[0]
        self.index = self.back_index = None
        marked = None
        if self.is_even:
            self.shape = (self.steps, self.rows)
        else:
            self.shape = (self.count, 1)
            counts = torch.tensor(rows)
            step = torch.repeat_interleave(torch.arange(self.steps), counts)
            self.offsets = torch.cumsum(counts, 0) - counts
            row = torch.arange(self.count) - self.offsets[step]
            self.lengths = torch.bincount(row)
            index = torch.argsort(row, stable=True)
            self.row = row[index].to(device)
            marked = (step[index] == 0).to(device)
            self.index = index.to(device)
            self.back_index = torch.argsort(index).to(device)
        self.resets = reset is not None and bool(reset.any())
        self.reset = self.spread(reset.unsqueeze(-1)).flatten() if self.resets else None  # type: ignore[union-attr]
        if self.reset is not None:
            marked = self.reset if marked is None else marked | self.reset
        self.cut = None if marked is None else marked.view(*self.shape, 1)
        self.cuts = torch.zeros(0) if marked is None else marked.nonzero().squeeze(1)

    def spread(self, values: Tensor) -> Tensor:
        """(N, m) as it is laid out to (S, R, m) as it is scanned."""
        values = values if self.index is None else values.index_select(0, self.index)
        return values.view(*self.shape, -1)

    def back(self, values: Tensor) -> Tensor:
        """(S, R, n) as it is scanned to (N, n) as it is laid out."""
        values = values.flatten(0, 1)
        return values if self.back_index is None else values.index_select(0, self.back_index)

    def starting(self, states: Sequence[Tensor]) -> list[Tensor]:
        """Return what goes into the first step, (R, n) each; nothing where rows begin by a cut."""
        return [s[: self.rows] if self.is_even else s.new_zeros(1, s.shape[1]) for s in states]

    def entering(self, first: Tensor, anew: Tensor) -> Tensor:
        """Return the states that go into the steps at `cuts`: those given, or after a reset those `anew`."""
        row = self.cuts % self.rows if self.is_even else self.row[self.cuts]
        if self.reset is None:
            return first.index_select(0, row)
        fresh = anew.index_select(0, row).to(first.dtype)
        return torch.where(self.reset[self.cuts].unsqueeze(-1), fresh, first.index_select(0, row))

    def at_cuts(self, coefficients: Coefficients) -> Coefficients:
        """Return the coefficients of the steps at `cuts`."""
        if not isinstance(coefficients, ByUnits):
            return coefficients
        size = self.shape[0] * self.shape[1]
        return coefficients.of(
            [
                t.flatten(0, 1) if t.shape[:2] == (1, 1) and size > 1 else t.flatten(0, 1)[self.cuts]
                for t in coefficients.tensors
            ]
        )

    def before(self, after: Tensor, first: Tensor, anew: Tensor) -> Tensor:
        """Return the state before every step, from those after it."""
        start = self.starting([first])[0].to(after.dtype)
        found = torch.cat([start.unsqueeze(0), after[:-1]])
        if self.cut is None:
            return found
        return found.flatten(0, 1).index_copy(0, self.cuts, self.entering(first, anew)).view_as(found)

    def last(self, after: Tensor, start: Tensor) -> Tensor:
        """Return the state after each row's last step, (N, n) as laid out to (B, n)."""
        if self.is_even:
            ended = after[-self.rows :]
        else:
            place = self.offsets[self.lengths - 1] + torch.arange(self.rows)
            ended = after.index_select(0, place.to(after.device))
        return torch.cat([ended, start[self.rows :]]) if self.rows < len(start) else ended
