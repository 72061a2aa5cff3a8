"""Just another network (Van der Westhuizen and Lasenby, 2018, arXiv:1804.04849)."""

from ostinato.cells.equation_cell import EquationCell


class JANET(EquationCell):
    """The LSTM with its forget gate alone; what is written is `beta` less shut than what is forgotten is open.

    Use it for long memories at half the cost of an LSTM, with `initialisers="chrono(T)"` for lags up to T.
    """

    equations = """
        beta = 1.0
        s    = W_f @ x + U_f @ h + b_f
        g    = tanh(W_g @ x + U_g @ h + b_g)
        h'   = sigmoid(s) * h + (1 - sigmoid(s - beta)) * g
    """
