"""Multiplicative networks (Sutskever, Martens and Hinton, ICML 2011; Krause, Lu, Murray and Renals, 2016).

The multiplicative LSTM is arXiv:1609.07959. Both let the input choose the matrix of the state, by factors.
"""

from ostinato.cells.equation_cell import EquationCell


class MultiplicativeRNN(EquationCell):
    """A vanilla network whose recurrent matrix depends on the input, with as many factors f as units.

    Use it for characters, where each symbol may need a transition of its own; it wants careful optimisation.
    """

    equations = """
        f  = (W_f @ x) * (U_f @ h)
        h' = tanh(W_h @ x + U_h @ f)
    """


class MultiplicativeLSTM(EquationCell):
    """An LSTM that reads, in place of its state, the product m of state and input. State: (h, c).

    Use it for language models over characters or bytes, where surprising symbols must redirect the state at once.
    """

    equations = """
        m  = (W_m @ x) * (U_m @ h)
        i  = sigmoid(W_i @ x + U_i @ m + b_i)
        f  = sigmoid(W_f @ x + U_f @ m + b_f)
        g  = tanh(W_g @ x + U_g @ m + b_g)
        o  = sigmoid(W_o @ x + U_o @ m + b_o)
        c' = f * c + i * g
        h' = o * tanh(c')
        y  = h'
    """
