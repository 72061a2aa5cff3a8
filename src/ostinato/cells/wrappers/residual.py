"""A cell whose output is added to its input (He et al., 2016, arXiv:1512.03385; in time, Kim et al., 2017)."""

from __future__ import annotations

from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.program import Program
from ostinato.equations.rewriting import Rewriting


class Residual(Wrapper):
    """Adds the input to the output, step by step; the state is what it was.

    >>> from ostinato import GRU
    >>> cell = Residual(GRU(64, 64))

        y -> y + x
    """

    def __init__(self, inner: Cell):
        super().__init__(inner)
        check_as_large("Residual", inner)
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Add x to y."""
        book = Rewriting(program)
        book.copy(*program.ops)
        return Change(book.finish({"y": book.write("y + x", "y_and_x", y=book.new(program.output("y")), x="x")}))

    def layer(self, bound: BoundCell) -> Layer | None:
        """Add x to the output of a plain cell."""
        return Layer(_step, (self.input_size,))


def check_as_large(where: str, inner: Cell) -> None:
    """Refuse a cell whose output cannot be added to its input."""
    if inner.input_size != inner.output_size:
        raise ConfigError(
            where,
            f"a cell with an input of {inner.input_size} and an output of {inner.output_size}",
            "The two are added, so they are equally large",
            f"Use input_size={inner.output_size}, or Projection(cell, {inner.input_size}) around the cell",
        )


def _step(take, x: Tensor, masks, state: State, settings: tuple[int], tensors) -> tuple[Tensor, State]:
    output, after = take(x, state)
    return output + x[:, : settings[0]], after
