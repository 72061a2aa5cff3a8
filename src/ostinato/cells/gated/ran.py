"""The recurrent additive network (Lee, Levy and Zettlemoyer, 2017, arXiv:1705.07393)."""

from ostinato.cells.equation_cell import EquationCell


class RAN(EquationCell):
    """An LSTM that remembers inputs only: its cell is a weighted sum of them, without a candidate or an output gate.

    Use it where the state should stay readable: it is a weighted sum of the inputs, whose weights can be read off.
    """

    equations = """
        i  = sigmoid(U_i @ h + W_i @ x + b_i)
        f  = sigmoid(U_f @ h + W_f @ x + b_f)
        c' = i * (W_c @ x) + f * c
        h' = tanh(c')
        y  = h'
    """
