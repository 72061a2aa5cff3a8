"""The independently recurrent network (Li, Li, Cook, Zhu and Gao, 2018, arXiv:1803.04831, eq. 2)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.initialisers import between


class IndRNN(EquationCell):
    """A rectifier whose units each hear only themselves; for T steps, keep u within 2 ** (1 / T) of zero.

    Use it in deep stacks over long sequences, where layers mix what units do not.
    """

    equations = """
        h' = relu(W @ x + u * h + b)
    """
    initialisers: ClassVar = {"u": between(0, 1)}
