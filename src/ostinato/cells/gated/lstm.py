"""Long short-term memory (Hochreiter and Schmidhuber, 1997), with a forget gate and without peepholes.

The equations are those of Graves (2013, arXiv:1308.0850, eq. 7 to 11) less the terms in c.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class LSTM(EquationCell):
    """The modern LSTM, gates in torch's order; stores and loads what `torch.nn.LSTM` does. State: (h, c).

    Use it first, for nearly everything: it remembers over some hundred steps, trains with little care, and is fast
    everywhere.
    """

    equations = """
        i  = sigmoid(W_i @ x + b_i + U_i @ h + d_i)
        f  = sigmoid(W_f @ x + b_f + U_f @ h + d_f)
        g  = tanh(W_g @ x + b_g + U_g @ h + d_g)
        o  = sigmoid(W_o @ x + b_o + U_o @ h + d_o)
        c' = f * c + i * g
        h' = o * tanh(c')
        y  = h'
    """


class ProjectedLSTM(EquationCell):
    """LSTM with a projected state (Sak, Senior and Beaufays, 2014, arXiv:1402.1128); `proj_size` is P.

    Use it for many units at the price of few: large vocabularies and speech, where the recurrent products cost most.
    """

    equations = """
        i  = sigmoid(W_i @ x + b_i + U_i @ h + d_i)
        f  = sigmoid(W_f @ x + b_f + U_f @ h + d_f)
        g  = tanh(W_g @ x + b_g + U_g @ h + d_g)
        o  = sigmoid(W_o @ x + b_o + U_o @ h + d_o)
        c' = f * c + i * g
        h' = weight_hr @ (o * tanh(c'))
        y  = h'
    """
    sizes: ClassVar = {"h": "P", "c": "H"}
