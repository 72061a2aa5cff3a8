"""Strongly typed networks (Balduzzi and Ghifary, 2016, arXiv:1602.02218): T-RNN, T-GRU and T-LSTM.

Their matrices multiply inputs only, this step's x and the last one's, which is the state p.
"""

from ostinato.cells.equation_cell import EquationCell


class TRNN(EquationCell):
    """A running average of learned features of the input, weighted by a gate that sees only the input.

    Use it where recurrence should be as light as possible and features do the work; its sum runs as a scan.
    """

    equations = """
        z  = W_z @ x
        f  = sigmoid(W_f @ x + b_f)
        h' = f * h + (1 - f) * z
    """


class TGRU(EquationCell):
    """A GRU whose gates see this input and the last one, never the state. State: (h, p).

    Use it where a GRU is wanted whose gates need not wait for the state: its recurrence runs as a scan.
    """

    equations = """
        z  = W_z @ x + V_z @ p + b_z
        f  = sigmoid(W_f @ x + V_f @ p + b_f)
        o  = tanh(W_o @ x + V_o @ p + b_o)
        h' = f * h + z * o
        p' = x
        y  = h'
    """


class TLSTM(EquationCell):
    """An LSTM whose gates see this input and the last one, never the state. State: (c, p).

    Use it where an LSTM is wanted whose gates need not wait for the state: its recurrence runs as a scan.
    """

    equations = """
        z  = W_z @ x + V_z @ p + b_z
        f  = sigmoid(W_f @ x + V_f @ p + b_f)
        o  = tanh(W_o @ x + V_o @ p + b_o)
        c' = f * c + (1 - f) * z
        p' = x
        y  = c' * o
    """
