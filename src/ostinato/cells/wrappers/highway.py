"""A cell beside a highway: a gate mixes its output with its input (Srivastava, Greff and Schmidhuber, 2015, eq. 3).

arXiv:1505.00387; between recurrent layers, Zilly et al., 2017, arXiv:1607.03474.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.residual import check_as_large
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.program import Program
from ostinato.equations.rewriting import Rewriting
from ostinato.equations.storage import Stack


class Highway(Wrapper):
    """Lets a learned share of the input pass the cell; the state is what it was.

    >>> from ostinato import GRU
    >>> cell = Highway(GRU(64, 64))

        t = sigmoid(W @ x + b)
        y -> t * y + (1 - t) * x

    bias  where b starts; below zero, much passes at first, as the paper advises.
    """

    def __init__(self, inner: Cell, *, bias: float = -1.0):
        super().__init__(inner, bias=bias)
        check_as_large("Highway", inner)
        like = next(iter(inner.state_dict().values()), torch.empty(0))
        gate = highway_gate(inner.input_size, like, bias)
        self.weight_gate, self.bias_gate = gate.weight, gate.bias
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Mix y with x."""
        book = Rewriting(program)
        out, width = program.shape(program.output("y")), program.shape("x")
        weight = book.take("W_gate", "parameter", (*out, *width))
        bias = book.take("b_gate", "parameter", out)
        book.copy(*program.ops)
        y = book.new(program.output("y"))
        gate = book.write("sigmoid(W @ x + b)", "gate", W=weight, x="x", b=bias)
        mixed = book.write("t * y + (1 - t) * x", "y_or_x", t=gate, y=y, x="x")
        entries = {
            Stack("weight_gate", (weight,), out, (*out, *width), "x"): "weight_gate",
            Stack("bias_gate", (bias,), out, out, "x", is_bias=True): "bias_gate",
        }
        return Change(book.finish({"y": mixed}), entries=entries)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Mix the output of a plain cell with its input."""
        return Layer(_step, (self.input_size,), tensors=(self.weight_gate, self.bias_gate))


def highway_gate(size: int, like: Tensor, bias: float = -1.0) -> nn.Linear:
    """Return what a gate makes of its input before the sigmoid: a product, and a bias that starts at `bias`."""
    gate = nn.Linear(size, size, device=like.device, dtype=like.dtype)
    nn.init.constant_(gate.bias, bias)
    return gate


def _step(take, x: Tensor, masks, state: State, settings: tuple[int], tensors) -> tuple[Tensor, State]:
    output, after = take(x, state)
    own = x[:, : settings[0]]
    gate = torch.sigmoid(nn.functional.linear(own, *tensors))
    return gate * output + (1 - gate) * own, after
