"""The three best cells of a search by mutation (Jozefowicz, Zaremba and Sutskever, 2015, PMLR 37:2342, MUT1 to MUT3).

At one place of MUT1 (W_n) and of MUT2 (W_r) the paper has x without a matrix, for which x must have H numbers. With the
matrix the input may have any size; the identity there is the paper's cell.
"""

from ostinato.cells.equation_cell import EquationCell


class MUT1(EquationCell):
    """A gated unit whose update gate sees the input alone; the input is squashed before it joins the state.

    Use it as an alternative to the GRU that a search over ten thousand cells found better on arithmetic and XML.
    """

    equations = """
        z  = sigmoid(W_z @ x + b_z)
        r  = sigmoid(W_r @ x + U_r @ h + b_r)
        n  = tanh(U_n @ (r * h) + tanh(W_n @ x) + b_n)
        h' = n * z + h * (1 - z)
    """


class MUT2(EquationCell):
    """A gated unit as the GRU, whose reset gate in the paper takes the input as it is (`W_r` the identity).

    Use it beside `mut1` and `mut3`, where cells are compared.
    """

    equations = """
        z  = sigmoid(W_z @ x + U_z @ h + b_z)
        r  = sigmoid(W_r @ x + U_r @ h + b_r)
        n  = tanh(U_n @ (r * h) + W_n @ x + b_n)
        h' = n * z + h * (1 - z)
    """


class MUT3(EquationCell):
    """A gated unit whose update gate sees the state squashed.

    Use it beside `mut1` and `mut2`, where cells are compared.
    """

    equations = """
        z  = sigmoid(W_z @ x + U_z @ tanh(h) + b_z)
        r  = sigmoid(W_r @ x + U_r @ h + b_r)
        n  = tanh(U_n @ (r * h) + W_n @ x + b_n)
        h' = n * z + h * (1 - z)
    """
