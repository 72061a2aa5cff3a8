"""Long expressive memory (Rusch, Mishra, Erichson and Mahoney, 2022, arXiv:2110.04744, eq. 3)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class LEM(EquationCell):
    """Two states, each with a learned step of its own in time: z before h, the paper's y, which reads the new z.

    Use it for long sequences with several time scales, as in dynamical systems and heart rates; it is as large as an
    LSTM.
    """

    equations = """
        delta_t = 1
        s  = delta_t * sigmoid(W_1 @ h + V_1 @ x + b_1)
        r  = delta_t * sigmoid(W_2 @ h + V_2 @ x + b_2)
        z' = (1 - s) * z + s * tanh(W_z @ h + V_z @ x + b_z)
        h' = (1 - r) * h + r * tanh(W_h @ z' + V_h @ x + b_h)
        y  = h'
    """
    limits: ClassVar = ("delta_t > 0",)
