"""The sLSTM of xLSTM (Beck et al., 2024, arXiv:2405.04517, eq. 8 to 17): exponential gates, stabilised."""

from ostinato.cells.equation_cell import EquationCell


class SLSTM(EquationCell):
    """An LSTM with an exponential input gate, whose memory c is divided by what was added to it, n; one head.

    The state m is the exponent that c and n are scaled by. As long as n is zero, nothing is stored and m starts anew,
    so that a first input gate however small is not lost. State: (h, m, c, n), gates in the order i, f, z, o.

    Use it where stored things must be replaced when something better comes: its gate may grow without bound.
    """

    equations = """
        i  = W_i @ x + U_i @ h + b_i
        f  = W_f @ x + U_f @ h + b_f
        z  = tanh(W_z @ x + U_z @ h + b_z)
        o  = sigmoid(W_o @ x + U_o @ h + b_o)
        k  = m - softplus(-f)
        m' = where(n > 0, maximum(k, i), i)
        e  = exp(minimum(k - m', 0))
        a  = exp(i - m')
        c' = e * c + a * z
        n' = e * n + a
        h' = o * c' / n'
        y  = h'
    """
