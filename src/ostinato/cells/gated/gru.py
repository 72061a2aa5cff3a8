"""The gated recurrent unit (Cho et al., 2014, arXiv:1406.1078, eq. 5 to 8), in both places of the reset gate."""

from ostinato.cells.equation_cell import EquationCell


class GRU(EquationCell):
    """Reset after the product, as cuDNN and `torch.nn.GRU` compute it; stores and loads what torch does.

    Use it in place of an LSTM where there are fewer data or less time: three quarters of its parameters, about its
    accuracy.
    """

    equations = """
        r  = sigmoid(W_r @ x + b_r + U_r @ h + d_r)
        z  = sigmoid(W_z @ x + b_z + U_z @ h + d_z)
        n  = tanh(W_n @ x + b_n + r * (U_n @ h + d_n))
        h' = (1 - z) * n + z * h
    """


class GRUResetBefore(EquationCell):
    """Reset before the product, as the paper prints it (its eq. 8, with z the share that is kept, eq. 7).

    Use it to load weights of systems that follow the paper, and for translation models after it.
    """

    equations = """
        r  = sigmoid(W_r @ x + U_r @ h + b_r)
        z  = sigmoid(W_z @ x + U_z @ h + b_z)
        n  = tanh(W_n @ x + U_n @ (r * h) + b_n)
        h' = (1 - z) * n + z * h
    """
