"""The gradient clipped inside the recurrence, where it would grow from step to step (Graves, 2013, arXiv:1308.0850)."""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.clipping import clip_gradient
from ostinato.equations.program import PRODUCTS, Program
from ostinato.equations.rewriting import Rewriting

PLACES = ("state", "pre-activation")
_SUMS = ("add", "sub", "neg", "mul", "div")


class GradientClip(Wrapper):
    """Keeps each number of the gradient within ±bound at every step of the way back; forward it changes nothing.

    >>> from ostinato import LSTM
    >>> cell = GradientClip(LSTM(32, 64), 1.0)

        dL/dh -> min(max(dL/dh, -bound), bound)

    at   "state": what goes from a step to the one before, for each state; or "pre-activation": what goes into the
         arguments of sigmoid, tanh and other functions that products enter, as Graves has it. A plain cell has the
         first only.

    In equations it is written `clip_gradient(h, 1)`.
    """

    def __init__(self, inner: Cell, bound: float, *, at: str = "state"):
        super().__init__(inner, bound=bound, at=at)
        if isinstance(bound, bool) or not isinstance(bound, Real) or not float(bound) > 0:
            raise ConfigError("GradientClip bound", f"{bound!r} was given", "A number above 0")
        if at not in PLACES:
            raise ConfigError("GradientClip at", f"{at!r} was given", f"Known are {' and '.join(PLACES)}")
        self.bound, self.at = float(bound), at
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Put `clip_gradient` around states, or around what functions take."""
        book = Rewriting(program)
        bound = book.take("gradient_bound", "constant")
        if self.at == "state":
            for state in program.states:
                book.values[state.name] = book.write(
                    "clip_gradient(a, b)", f"{state.name}_clipped", a=state.name, b=bound
                )
            book.copy(*program.ops)
        else:
            wanted = _arguments(program)
            if not wanted:
                raise ConfigError("GradientClip at", "no function of this cell takes a product", "Possible is state")
            for op in program.ops:
                book.copy(op)
                if op.out in wanted:
                    book.values[op.out] = book.write("clip_gradient(a, b)", a=book.new(op.out), b=bound)
        return Change(book.finish(), constants={bound: self.bound})

    def layer(self, bound: BoundCell) -> Layer | None:
        """Clip the gradient of a plain cell's state."""
        if self.at != "state":
            raise ConfigError(
                "GradientClip at",
                f"{type(self.inner).__name__} is a plain cell",
                "What its functions take has no name; possible is state",
            )
        return Layer(_step, (self.bound,))


def _arguments(program: Program) -> set[str]:
    """Return the values that functions of one argument take and that products are a term or a factor of."""
    reached: set[str] = set()
    found: set[str] = set()
    for op in program.ops:
        read = [a for a in op.args if a in reached]
        if op.fn in PRODUCTS or (read and op.fn in _SUMS):
            reached.add(op.out)
        elif read and len(op.args) == 1 and op.shape:
            found |= {str(a) for a in read}
    return found


def _step(take, x: Tensor, masks, state: State, settings: tuple[float], tensors) -> tuple[Tensor, State]:
    bound = torch.full((), settings[0], dtype=x.dtype, device=x.device)
    return take(x, pytree.tree_map(lambda leaf: clip_gradient(leaf, bound), state))
