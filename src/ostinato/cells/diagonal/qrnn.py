"""The quasi-recurrent network (Bradbury, Merity, Xiong and Socher, 2017, arXiv:1611.01576, eq. 2 to 5), window of 2.

The convolution over time sees x and the x before it, which is the state p. The paper's names are those of the poolings.
"""

from ostinato.cells.equation_cell import EquationCell


class QRNNf(EquationCell):
    """f-pooling (its eq. 3): one gate, which keeps or writes.

    Use it after a layer that mixes neighbouring steps, where recurrence is only to average.
    """

    equations = """
        z  = tanh(V_z @ p + W_z @ x + b_z)
        f  = sigmoid(V_f @ p + W_f @ x + b_f)
        p' = x
        h' = f * h + (1 - f) * z
        y  = h'
    """


class QRNNfo(EquationCell):
    """fo-pooling (its eq. 4): a gate on what is kept, and one on what is shown.

    Use it in language models and classification in place of an LSTM, when speed counts; stack it.
    """

    equations = """
        z  = tanh(V_z @ p + W_z @ x + b_z)
        f  = sigmoid(V_f @ p + W_f @ x + b_f)
        o  = sigmoid(V_o @ p + W_o @ x + b_o)
        p' = x
        c' = f * c + (1 - f) * z
        y  = o * c'
    """


class QRNNifo(EquationCell):
    """ifo-pooling (its eq. 5): gates on what is kept, on what is written and on what is shown.

    Use it where what is kept and what is written must not be tied, at the speed of the other two.
    """

    equations = """
        z  = tanh(V_z @ p + W_z @ x + b_z)
        f  = sigmoid(V_f @ p + W_f @ x + b_f)
        o  = sigmoid(V_o @ p + W_o @ x + b_o)
        i  = sigmoid(V_i @ p + W_i @ x + b_i)
        p' = x
        c' = f * c + i * z
        y  = o * c'
    """
