"""Rectified units that start as a sum of their inputs (Le, Jaitly and Hinton, 2015, arXiv:1504.00941)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.initialisers import normal


class IRNN(EquationCell):
    """The vanilla network with a rectifier, whose recurrent matrix starts as the identity and its biases at zero.

    Use it for sums and counts over some hundred steps without gates; clip the gradient, for nothing bounds the state.
    """

    equations = """
        h' = relu(W @ x + U @ h + b)
    """
    initialisers: ClassVar = {"input": normal(0.001), "recurrent": "identity", "bias": "zeros"}
