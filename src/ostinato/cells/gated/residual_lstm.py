"""The residual LSTM (Kim, El-Khamy and Lee, 2017, arXiv:1701.03360): a shortcut around cell and projection."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class ResidualLSTM(EquationCell):
    """A projected LSTM with peepholes; its output gate also gates the input. `proj_size` is P. State: (h, c).

    Use it in deep acoustic models, five layers and more, where stacked LSTMs stop improving.
    """

    equations = """
        i  = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f  = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g  = tanh(W_g @ x + U_g @ h + b_g)
        c' = f * c + i * g
        o  = sigmoid(W_o @ x + U_o @ h + P_o @ c' + b_o)
        h' = o * (W_p @ tanh(c') + W_h @ x)
        y  = h'
    """
    sizes: ClassVar = {"h": "P", "c": "H"}
