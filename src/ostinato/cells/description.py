"""What there is to say of a cell before anything runs: its sentences, tensors, states and structure.

The command line and the documentation pages both read it; nothing here is written by hand for one cell.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Cell
from ostinato.cells.definition import Definition, argument_of
from ostinato.cells.equation_cell import EquationCell, text_of
from ostinato.cells.reading import read_step, why_unreadable
from ostinato.cells.wrappers.wrapper import Wrapper
from ostinato.equations.latex import latex
from ostinato.equations.linear import linear
from ostinato.equations.structure import Structure, structure

_EVERY_CELL_TAKES = ("input_size", "hidden_size", "bias", "initialisers", "device", "dtype")


@dataclass(frozen=True)
class Held:
    """One tensor a cell keeps: what it holds are the symbols of the equations, where there are any."""

    name: str
    shape: tuple[int, ...]
    symbols: tuple[str, ...] = ()
    is_frozen: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers it is."""
        return int(torch.Size(self.shape).numel())


class Description:
    """A cell in words and numbers, each found when it is asked for."""

    def __init__(self, cell: Cell):
        self.cell = cell

    @cached_property
    def definition(self) -> Definition | None:
        """Its equations as a program, with those of the wrappers around them; None for a plain cell."""
        bound = self.cell.bind()
        return bound.definition if isinstance(bound, BoundEquations) else None

    @cached_property
    def _docstring(self) -> str:
        doc = type(self.cell).__doc__ or ""
        return "" if doc == getattr(type(self.cell), "equations", "") else inspect.cleandoc(doc)

    @property
    def summary(self) -> str:
        """The first line of the class."""
        return self._docstring.split("\n")[0]

    @property
    def remarks(self) -> list[str]:
        """The paragraphs below it: when to use the cell, what it needs, why it is no text of equations."""
        if isinstance(self.cell, Wrapper):
            return []  # it documents its arguments, and the cell inside is the one to know
        _, _, rest = self._docstring.partition("\n")
        return [" ".join(paragraph.split()) for paragraph in rest.split("\n\n") if paragraph.strip()]

    @property
    def equations(self) -> str:
        """The text everything is derived from; empty for a plain cell."""
        if not isinstance(self.cell, EquationCell):
            return ""
        return inspect.cleandoc(text_of(type(self.cell), **self.cell.counts))

    @property
    def latex(self) -> str:
        """The equations as a paper would print them; empty for a plain cell."""
        return latex(self.definition.program) if self.definition is not None else ""

    @cached_property
    def held(self) -> tuple[Held, ...]:
        """Its tensors, the trained ones first."""
        stacks = self.cell.definition.stacks if isinstance(self.cell, EquationCell) else ()
        symbols = {stack.name: tuple(stack.symbols) for stack in stacks}
        trained = [Held(n, tuple(p.shape), symbols.get(n, ())) for n, p in self.cell.named_parameters()]
        frozen = [Held(n, tuple(b.shape), symbols.get(n, ()), True) for n, b in self.cell.named_buffers()]
        return (*trained, *frozen)

    @property
    def trained(self) -> int:
        """How many numbers are trained."""
        return sum(h.numbers for h in self.held if not h.is_frozen)

    @property
    def frozen(self) -> int:
        """How many numbers are kept as they were drawn."""
        return sum(h.numbers for h in self.held if h.is_frozen)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The keywords that stand beside the two sizes, and what they are here."""
        known = inspect.signature(type(self.cell)).parameters.values()
        own = {p.name: getattr(self.cell, p.name, None) for p in known if p.name not in _EVERY_CELL_TAKES}
        settings = {name: value for name, value in own.items() if isinstance(value, int | float | str | tuple)}
        if isinstance(self.cell, EquationCell):
            numbers = self.cell.definition.numbers
            settings |= {argument_of(symbol): n for symbol, n in numbers.items() if symbol not in ("D", "H")}
            settings |= {**self.cell.counts, **self.cell.constants}
        return settings

    @cached_property
    def states(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each state of one row, the output's first where equations name them."""
        if self.definition is not None:
            return {name: (size,) for name, size in self.definition.states.items()}
        state = self.cell.initial_state(1)
        leaves = pytree.tree_leaves(state)
        names = getattr(state, "_fields", ("state",) if len(leaves) == 1 else ())
        if len(names) != len(leaves):
            names = tuple(f"state {k}" for k in range(1, len(leaves) + 1))
        return {name: tuple(leaf.shape[1:]) for name, leaf in zip(names, leaves, strict=True)}

    @cached_property
    def structure(self) -> Structure | str:
        """What the form of its step says, or why a plain cell's step has none; reading one takes about a second."""
        if self.definition is not None:
            return structure(self.definition.program, self.definition.numbers)
        unreadable = why_unreadable(self.cell)
        if unreadable is not None:
            return unreadable
        reading = read_step(self.cell)
        return structure(reading.fused, reading.numbers)

    @cached_property
    def operations(self) -> int:
        """Floating-point operations of one step of one row; of a step that cannot be read, those of its products."""
        if not isinstance(self.structure, str):
            return self.structure.operations
        like = next(self.cell.parameters(), torch.empty(0))
        place = {"device": like.device, "dtype": like.dtype}
        time = (torch.ones(1, **place),) if self.cell.uses_dt else ()
        with torch.no_grad(), FlopCounterMode(display=False) as counted:
            self.cell.step(torch.zeros(1, self.cell.input_size, **place), self.cell.initial_state(1, **place), *time)
        return counted.get_total_flops()

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """What is special in how the next state depends on the last: "diagonal", "linear", both or neither.

        Diagonal is a state whose units do not meet, linear one that a scan over time finds, whatever is made of it.
        """
        if isinstance(self.structure, str):
            return ()
        program = read_step(self.cell).fused if self.definition is None else self.definition.program
        found = linear(program)
        if isinstance(found, str):
            return ("diagonal",) if self.structure.is_diagonal else ()
        return ("diagonal", "linear") if all(group.map is None for group in found.groups) else ("linear",)

    @property
    def recurrence(self) -> str:
        """The same in words."""
        if isinstance(self.structure, str):
            return f"not known: {self.structure}"
        units = "diagonal" if "diagonal" in self.marks else "full"
        return f"{units}, {'linear' if 'linear' in self.marks else 'nonlinear'} in the state"
