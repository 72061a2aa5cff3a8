"""The LSTM with working memory connections (Landi, Baraldi, Cornia and Cucchiara, 2021, arXiv:2109.00020)."""

from ostinato.cells.equation_cell import EquationCell


class WMCLSTM(EquationCell):
    """An LSTM whose gates see its memory through a bounded projection. State: (h, c).

    Use it where an LSTM should keep track of what it stores, as in counting and copying, without the risk of saturated
    gates.
    """

    equations = """
        i  = sigmoid(W_i @ x + U_i @ h + tanh(V_i @ c) + b_i)
        f  = sigmoid(W_f @ x + U_f @ h + tanh(V_f @ c) + b_f)
        g  = tanh(W_g @ x + U_g @ h + b_g)
        c' = f * c + i * g
        o  = sigmoid(W_o @ x + U_o @ h + tanh(V_o @ c') + b_o)
        h' = o * tanh(c')
        y  = h'
    """
