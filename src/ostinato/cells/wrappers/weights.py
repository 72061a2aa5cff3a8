"""Which tensors of a cell a wrapper changes: all, those of a kind, or some by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.wrapper import plain_cell
from ostinato.equations.rewriting import operand_kinds

Rows = tuple[tuple[int, int], ...]
"""(first, how many) rows of a tensor."""


@dataclass(frozen=True)
class Chosen:
    """Tensors of a cell by name, and which rows of each; None is the whole of it."""

    rows: Mapping[str, Rows | None]

    def changed(self, tensors: Mapping[str, Tensor], change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Return `change(tensor)` of each, in those rows."""
        found = {}
        for name, rows in self.rows.items():
            tensor = tensors[name]
            new = change(tensor)
            if rows is not None:
                inside = torch.zeros(len(tensor), dtype=torch.bool, device=tensor.device)
                for first, count in rows:
                    inside[first : first + count] = True
                new = torch.where(inside.view(-1, *[1] * (tensor.dim() - 1)), new, tensor)
            found[name] = new
        return found


def choose(where: str, cell: Cell, weights: str | Sequence[str]) -> Chosen:
    """Return the tensors that `weights` names; ConfigError, with what is possible, where the cell has none such.

    Of equations: "recurrent" and "input" are the matrices whose products with a state, or with x, a next state is made
    of; "all" is all there are; else the names of symbols and of stored tensors. Of a plain cell: "all", or names of
    parameters.
    """
    bound = cell.bind()
    names = [weights] if isinstance(weights, str) else list(weights)
    if isinstance(bound, BoundCell):
        return _of_plain(where, plain_cell(bound.cell), names)
    assert isinstance(bound, BoundEquations)
    definition = bound.definition
    kinds = operand_kinds(definition.program)
    groups = {
        "recurrent": [m for m, kind in kinds.items() if kind == "recurrent"],
        "input": [m for m, kind in kinds.items() if kind == "input"],
        "all": [p.name for p in definition.program.parameters],
    }
    stored = {stack.name: list(stack.symbols) for stack in definition.stacks}
    singles = {p.name: [p.name] for p in definition.program.parameters}
    known = {**singles, **stored, **{name: group for name, group in groups.items() if group}}
    symbols: dict[str, None] = {}
    for name in names:
        if name not in known:
            _refuse(where, name, known, groups)
        symbols |= dict.fromkeys(known[name])
    return _rows(definition, symbols)


def untouched(take, x: Tensor, masks, state: State, settings, tensors) -> tuple[Tensor, State]:
    """Take the step of a plain cell as it is: its tensors are others."""
    return take(x, state)


def _rows(definition: Definition, symbols: Iterable[str]) -> Chosen:
    wanted, found = set(symbols), {}
    for stack in definition.stacks:
        inside = [s for s in stack.symbols if s in wanted]
        if inside:
            whole = len(inside) == len(stack.symbols)
            found[stack.name] = None if whole else tuple(definition.symbols[s][1:] for s in inside)
    return Chosen(found)


def _of_plain(where: str, cell: Cell, names: Sequence[str]) -> Chosen:
    own = [name for name, _ in cell.named_parameters()]
    for name in names:
        if name != "all" and name not in own:
            _refuse(where, name, own, {"recurrent": [], "input": []} if name in ("recurrent", "input") else {})
    return Chosen(dict.fromkeys(own if "all" in names else names))


def _refuse(where: str, name: str, known: Iterable[str], groups: Mapping[str, object]) -> None:
    names = list(dict.fromkeys([*known, "all"]))
    got = f"this cell has no {name} weights" if name in groups else f"'{name}' is no tensor of this cell"
    raise ConfigError(f"{where} weights", got, f"Possible are {', '.join(names)}", did_you_mean(name, names))
