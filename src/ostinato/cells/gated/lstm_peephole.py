"""LSTM whose gates see the cell (Gers et al., 2002, JMLR 3:115; Graves, 2013, arXiv:1308.0850, eq. 7 to 11)."""

from ostinato.cells.equation_cell import EquationCell


class PeepholeLSTM(EquationCell):
    """LSTM with peepholes: input and forget gate see the cell before the step, the output gate after it.

    Use it where exact times count: intervals, rhythms and spikes.
    """

    equations = """
        i  = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f  = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g  = tanh(W_g @ x + U_g @ h + b_g)
        c' = f * c + i * g
        o  = sigmoid(W_o @ x + U_o @ h + p_o * c' + b_o)
        h' = o * tanh(c')
        y  = h'
    """
