"""Bistable cells (Vecoven, Ernst and Drion, 2021, doi:10.1371/journal.pone.0252676): BRC and nBRC.

Their start, and the biases of a and c, are those of the authors' code; `bias=False` leaves the paper's equations.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class BRC(EquationCell):
    """Units that keep one of two values for ever where their own feedback a is above 1; each reads only itself.

    Use it to hold a bit for any number of steps, with units that stay independent and so cheap.
    """

    equations = """
        a  = 1 + tanh(W_a @ x + u_a * h + b_a)
        c  = sigmoid(W_c @ x + u_c * h + b_c)
        h' = c * h + (1 - c) * tanh(W_h @ x + a * h)
    """
    initialisers: ClassVar = {"input": "glorot", "bias": "zeros", "other": 1.0}


class NBRC(EquationCell):
    """Bistable units whose feedback a and gate c are set by all units together (neuromodulation).

    Use it to hold bits over very long lags, where whether to hold depends on the whole state.
    """

    equations = """
        a  = 1 + tanh(W_a @ x + U_a @ h + b_a)
        c  = sigmoid(W_c @ x + U_c @ h + b_c)
        h' = c * h + (1 - c) * tanh(W_h @ x + a * h)
    """
    initialisers: ClassVar = {"input": "glorot", "recurrent": "orthogonal", "bias": "zeros"}
