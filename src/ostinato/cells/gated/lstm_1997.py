"""Long short-term memory as it began (Hochreiter and Schmidhuber, 1997, doi:10.1162/neco.1997.9.8.1735, §4 and §5.1).

The cell has no forget gate: what is written stays.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.initialisers import within


class LSTM1997(EquationCell):
    """The cell of 1997: no forget gate, g on ±2 and h on ±1, every gate hears all gates. State: (h, i, o, c).

    It is the paper's net of blocks of one cell. Negative biases (`initialisers={"b_i": -3.0}`) keep its gates shut at
    first; the paper sets those of the output gates to -1, -2, … (§5.1), those of the input gates as its tasks ask.

    Use it to see what the paper saw: tasks with one thing to keep over long lags, in sequences that end and start anew.
    """

    equations = """
        i' = sigmoid(W_i @ x + U_i @ h + P_i @ i + Q_i @ o + b_i)
        o' = sigmoid(W_o @ x + U_o @ h + P_o @ i + Q_o @ o + b_o)
        g  = 4 * sigmoid(W_g @ x + U_g @ h + P_g @ i + Q_g @ o + b_g) - 2
        c' = c + i' * g
        h' = o' * (2 * sigmoid(c') - 1)
        y  = h'
    """
    initialisers: ClassVar = dict.fromkeys(("input", "recurrent", "bias"), within(0.2))


class LSTMNoForgetGate(EquationCell):
    """The modern LSTM less its forget gate, which is what most libraries call the original. State: (h, c).

    Use it as the control for the forget gate, and for short sequences that add things up.
    """

    equations = """
        i  = sigmoid(W_i @ x + U_i @ h + b_i)
        g  = tanh(W_g @ x + U_g @ h + b_g)
        o  = sigmoid(W_o @ x + U_o @ h + b_o)
        c' = c + i * g
        h' = o * tanh(c')
        y  = h'
    """
