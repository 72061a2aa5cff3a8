"""The step of a plain cell as engines take it: what `cells.definition` is to a cell of equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato.cells.cell import State
from ostinato.cells.reading.given import Given
from ostinato.equations.program import Program


@dataclass(frozen=True)
class Reading:
    """A step as a program. Sizes are numbers ("128"), so there are no size symbols, nor symbols of gates."""

    fused: Program
    """Over the tensors it is given; what it needs of them alone, torch has made."""
    structure: pytree.TreeSpec
    """Of the state."""
    cuts: tuple[tuple[int, ...], ...]
    """The sizes of the program's states that stand side by side in each leaf of the state."""
    given: Given = field(compare=False)
    numbers: dict[str, int] = field(default_factory=dict, compare=False)
    symbols: dict[str, tuple[str, int, int]] = field(default_factory=dict, compare=False)

    @cached_property
    def states(self) -> dict[str, int]:
        """The sizes of the program's states."""
        return {s.name: int(s.shape[0]) for s in self.fused.states}

    @cached_property
    def output_size(self) -> int:
        return int(self.fused.shape(self.fused.output("y"))[0])

    def tensors(self, cell: nn.Module) -> dict[str, Tensor]:
        """Return the tensors of the program's parameters, as they are now; gradients reach the cell's own."""
        return self.given(cell)

    def state_values(self, state: State) -> list[Tensor]:
        """Return the program's states."""
        return self.parts(pytree.tree_leaves(state))

    def parts(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return the program's states, from the leaves of the cell's."""
        pairs = zip(leaves, self.cuts, strict=True)
        return [part for leaf, cuts in pairs for part in (leaf.split(cuts, -1) if len(cuts) > 1 else (leaf,))]

    def pack_state(self, values: Sequence[Tensor]) -> State:
        """Return the cell's state, made of the program's."""
        rest = iter(values)
        parts = [[next(rest) for _ in cuts] for cuts in self.cuts]
        return pytree.tree_unflatten([torch.cat(p, -1) if len(p) > 1 else p[0] for p in parts], self.structure)
