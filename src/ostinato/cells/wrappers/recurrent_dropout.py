"""Recurrent dropout (Semeniuta, Severyn and Barth, 2016, arXiv:1603.05118)."""

from __future__ import annotations

import torch

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.chance import Mask, check_per, check_share
from ostinato.cells.wrappers.wrapper import Change, Wrapper
from ostinato.equations.program import Program
from ostinato.equations.rewriting import Rewriting, reached

CANDIDATES = ("g", "n")
"""What is left out unless it is said: what an LSTM or a GRU would write into its state."""


class RecurrentDropout(Wrapper):
    """Leaves out numbers of what is written into the state, and nothing of what the state holds.

    >>> from ostinato import LSTM
    >>> cell = RecurrentDropout(LSTM(32, 64), 0.25)

        c' = f * c + i * d(g),    d(g) = g * m / (1 - share)

    symbol     the value of the equations that is written; "g" where there is one, else "n".
    per        "step" or "sequence": how often a mask is drawn.
    generator  what masks are drawn from; None is torch's own.

    In evaluation it does nothing. A plain cell has no symbols, and is refused.
    """

    def __init__(
        self,
        inner: Cell,
        share: float,
        *,
        symbol: str | None = None,
        per: str = "step",
        generator: torch.Generator | None = None,
    ):
        super().__init__(inner, generator, share=share, symbol=symbol, per=per)
        self.share, self.per = check_share("RecurrentDropout share", share), check_per(per)
        self.is_random = self.share > 0
        self.symbol = _symbol(inner, symbol)
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Put a mask behind the symbol."""
        if not self.training or not self.is_random:
            return None
        book = Rewriting(program)
        shape = program.shape(self.symbol)
        for op in program.ops:
            book.copy(op)
            if op.out == self.symbol:
                mask = book.take(f"kept_{self.symbol}", "mask", shape)
                scale = book.take(f"scale_{self.symbol}", "constant")
                value = book.new(self.symbol)
                book.values[self.symbol] = book.write("a * (s * m)", f"{self.symbol}_dropped", a=value, m=mask, s=scale)
        return Change(book.finish(), (Mask(int(shape[0]), 1 - self.share, self.per),), {scale: 1 / (1 - self.share)})


def _symbol(inner: Cell, symbol: str | None) -> str:
    """Return the value that is written into the state; ConfigError where the equations have none of that name."""
    bound = inner.bind()
    if isinstance(bound, BoundCell):
        raise ConfigError(
            "RecurrentDropout",
            f"{type(inner).__name__} is a plain cell",
            "What its step writes into the state has no name",
            "Write the cell as equations, or use Zoneout",
        )
    assert isinstance(bound, BoundEquations)
    program = bound.definition.program
    varying = reached(program, [i.name for i in program.inputs if i.role in ("input", "state")])
    known = [op.out for op in program.ops if op.shape and _is_inner(op.out) and op.out in varying]
    if symbol is None:
        symbol = next((c for c in CANDIDATES if c in known), None)
    if symbol not in known:
        raise ConfigError(
            "RecurrentDropout symbol",
            "no value is called g or n" if symbol is None else f"'{symbol}' is no value of these equations",
            f"Possible are {', '.join(known)}" if known else "They name no value besides their states",
            did_you_mean(symbol or "", known),
        )
    return symbol


def _is_inner(name: str) -> bool:
    """Return whether a value is one the text names, and no next state."""
    return not name.startswith("%") and not name.endswith("'")
