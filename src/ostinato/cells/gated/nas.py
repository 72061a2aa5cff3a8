"""The cell that architecture search found (Zoph and Le, 2017, arXiv:1611.01578, in the appendix, base 8)."""

from ostinato.cells.equation_cell import EquationCell


class NASCell(EquationCell):
    """Eight leaves of input and state, joined in a tree that a search chose. State: (h, c).

    Use it for language models with time to train: the search chose it on Penn Treebank, and it costs twice an LSTM.
    """

    equations = """
        a_0 = sigmoid(W_0 @ x + U_0 @ h + b_0)
        a_1 = relu(W_1 @ x + U_1 @ h + b_1)
        a_2 = sigmoid(W_2 @ x + U_2 @ h + b_2)
        a_3 = relu((W_3 @ x) * (U_3 @ h + b_3))
        a_4 = tanh(W_4 @ x + U_4 @ h + b_4)
        a_5 = sigmoid(W_5 @ x + U_5 @ h + b_5)
        a_6 = tanh(W_6 @ x + U_6 @ h + b_6)
        a_7 = sigmoid(W_7 @ x + U_7 @ h + b_7)
        e_0 = tanh(tanh(a_0 * a_1) + c)
        e_1 = tanh(a_2 + a_3)
        e_2 = tanh(a_4 * a_5)
        e_3 = sigmoid(a_6 + a_7)
        c'  = e_0 * e_1
        h'  = tanh(c' * tanh(e_2 + e_3))
        y   = h'
    """
