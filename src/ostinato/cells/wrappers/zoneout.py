"""Zoneout (Krueger et al., 2017, arXiv:1606.01305)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.chance import Mask, check_share
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.program import Op, Program
from ostinato.equations.rewriting import Rewriting, needed_for_states


class Zoneout(Wrapper):
    """Some units keep their state for a step, by chance; in evaluation each keeps a share of it.

    >>> from ostinato import LSTM
    >>> cell = Zoneout(LSTM(32, 64), {"h": 0.05, "c": 0.5})

        h' = m * h + (1 - m) * (what the cell makes of it),    m drawn at every step; in evaluation m is the rate

    rate       of all states, or of each by its name. Next states are made of what the cell makes of others, as in the
               paper; the output reads what is left of them.
    generator  what masks are drawn from; None is torch's own.
    """

    def __init__(self, inner: Cell, rate: float | Mapping[str, float], *, generator: torch.Generator | None = None):
        super().__init__(inner, generator, rate=rate)
        self.rates = rates_of("Zoneout", inner, rate)
        self.is_random = any(self.rates.values())
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Put a mask around each state that has a rate."""
        if not self.is_random:
            return None
        book, early = Rewriting(program), needed_for_states(program)
        for state, rate in self.rates.items():
            if rate:
                book.rename(f"{state}'", f"{state}_made'")
        book.copy(*(op for op in program.ops if op.out in early))
        masks, constants, outputs = [], {}, {}
        for state, rate in zip(program.states, self.rates.values(), strict=True):
            label, made = f"{state.name}'", program.output(f"{state.name}'")
            if not rate:
                continue
            if self.training:
                mask = book.take(f"kept_{state.name}", "mask", state.shape)
                masks.append(Mask(int(state.shape[0]), rate))
            else:
                mask = book.take(f"zoneout_{state.name}", "constant")
                constants[mask] = rate
            outputs[label] = book.write("m * a + (1 - m) * b", label, m=mask, a=state.name, b=book.new(made))
        for label, value in outputs.items():  # the output reads what is left
            if isinstance(program.by_name[program.output(label)], Op):
                book.values[program.output(label)] = value
        book.copy(*(op for op in program.ops if op.out not in early))
        return Change(book.finish(outputs), tuple(masks), constants)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Do the same around the step of a plain cell; its output stays what the step gives."""
        if not self.is_random:
            return None
        leaves = pytree.tree_leaves(bound.initial_state(1, device=torch.device("cpu"), dtype=torch.float32))
        rates = tuple(self.rates.values())
        masks = [Mask(leaf[0].numel(), rate) for leaf, rate in zip(leaves, rates, strict=True) if rate]
        return Layer(_step, rates, tuple(masks) if self.training else ())


def _step(take, x: Tensor, masks: list[Tensor], state: State, rates: tuple[float, ...], tensors) -> tuple:
    output, after = take(x, state)
    drawn, structure = iter(masks), pytree.tree_structure(after)
    left = []
    for old, new, rate in zip(pytree.tree_leaves(state), pytree.tree_leaves(after), rates, strict=True):
        kept = next(drawn, rate) if rate else 0.0
        kept = kept.view_as(old) if isinstance(kept, Tensor) and kept.shape != old.shape else kept
        left.append(kept * old + (1 - kept) * new if rate else new)
    return output, pytree.tree_unflatten(left, structure)


def state_names(cell: Cell) -> list[str]:
    """Return the names of a cell's states: those of its equations, or of its named tuple, or their places."""
    bound = cell.bind()
    if not isinstance(bound, BoundCell):
        return list(bound.definition.states)  # type: ignore[attr-defined]
    state = cell.initial_state(1)
    return list(state._fields) if hasattr(state, "_fields") else [str(k) for k in range(len(pytree.tree_leaves(state)))]


def rates_of(wrapper: str, inner: Cell, rate: float | Mapping[str, float]) -> dict[str, float]:
    """Return a share for each state; ConfigError for a state that the cell does not have."""
    names = state_names(inner)
    if not isinstance(rate, Mapping):
        return dict.fromkeys(names, check_share(f"{wrapper} rate", rate))
    for name in rate:
        if name not in names:
            raise ConfigError(
                f"{wrapper} rate",
                f"'{name}' is no state of this cell",
                f"Its states are {', '.join(names)}",
                did_you_mean(name, names),
            )
    return {name: check_share(f"{wrapper} rate", rate.get(name, 0.0)) for name in names}
