"""The network whose output comes back as its context (Jordan, 1986, ICS report 8604)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class Jordan(EquationCell):
    """Recurrence from the output: the state is `y`; `output_size` (default: `hidden_size`) is its length.

    Use it where what comes back must be the output itself, as in control and in simple models of motor sequences.
    """

    equations = """
        h  = tanh(W_h @ x + U_h @ y + b_h)
        y' = tanh(W_y @ h + b_y)
    """
    sizes: ClassVar = {"h": "H", "y": "O"}
