"""Leaky integrators (Mozer, 1992; Jaeger et al., 2007, doi:10.1016/j.neunet.2007.04.016)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class Leaky(EquationCell):
    """Units that move a fixed share of the way to what a vanilla unit would be; `leak`=1 is the vanilla network.

    Use it for signals slower than their sampling, and for models of neurons whose time constant is known.
    """

    equations = """
        leak = 0.3
        h'   = (1 - leak) * h + leak * tanh(W @ x + U @ h + b)
    """
    limits = ("leak > 0", "leak <= 1")


class LearnedLeak(EquationCell):
    """Leaky units that each learn their own share, kept between 0 and 1; all start at a half.

    Use it for signals that mix slow and fast parts, when their time scales are not known beforehand.
    """

    equations = """
        a  = sigmoid(leak)
        h' = (1 - a) * h + a * tanh(W @ x + U @ h + b)
    """
    initialisers: ClassVar = {"leak": 0.0}
