"""A cell whose output is projected, as between the layers of Sak, Senior and Beaufays (2014, arXiv:1402.1128).

Their recurrent projection, which the next step reads as well, is a cell of its own: `projected-lstm`.
"""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.program import Program
from ostinato.equations.rewriting import Rewriting
from ostinato.equations.storage import Stack


class Projection(Wrapper):
    """Makes the output of a cell smaller, or larger, by a matrix; the state is what it was.

    >>> from ostinato import LSTM
    >>> Projection(LSTM(32, 64), 16).output_size
    16

        y -> W @ y + b

    size  of the new output.
    bias  whether there is a b.
    """

    def __init__(self, inner: Cell, size: int, *, bias: bool = True):
        super().__init__(inner, size=size, bias=bias)
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ConfigError("Projection size", f"{size!r} was given", "A whole number, at least 1")
        like = next(iter(inner.state_dict().values()), torch.empty(0))
        made = nn.Linear(inner.output_size, int(size), bias=bias, device=like.device, dtype=like.dtype)
        self.weight_projection, self.bias_projection = made.weight, made.bias
        self.output_size = int(size)
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Multiply y by a matrix."""
        book = Rewriting(program)
        rows, width = (str(self.output_size),), program.shape(program.output("y"))
        weight = book.take("W_projection", "parameter", (*rows, *width))
        entries = {Stack("weight_projection", (weight,), rows, (*rows, *width)): "weight_projection"}
        book.copy(*program.ops)
        y, text = book.new(program.output("y")), "W @ y"
        values = {"W": weight, "y": y}
        if self.bias_projection is not None:
            values["b"] = book.take("b_projection", "parameter", rows)
            entries[Stack("bias_projection", (values["b"],), rows, rows)] = "bias_projection"
            text = "W @ y + b"
        return Change(book.finish({"y": book.write(text, "y_projected", **values)}), entries=entries)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Multiply the output of a plain cell by a matrix."""
        given = (self.weight_projection, self.bias_projection)
        tensors = tuple(t for t in given if t is not None)
        return Layer(_step, tensors=tensors, output_size=self.output_size)


def _step(take, x: Tensor, masks, state: State, settings, tensors) -> tuple[Tensor, State]:
    output, after = take(x, state)
    return nn.functional.linear(output, *tensors), after
