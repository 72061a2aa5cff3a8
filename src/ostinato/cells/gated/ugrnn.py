"""Units with one gate in time, and one in depth (Collins, Sohl-Dickstein and Sussillo, 2016, arXiv:1611.09913)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class UGRNN(EquationCell):
    """The update gate network: one gate between the state as it was and a vanilla unit; it starts mostly closed.

    Use it where one gate should be enough: it trains about as surely as larger cells when it is not deep.
    """

    equations = """
        c  = tanh(W_c @ x + U_c @ h + b_c)
        g  = sigmoid(W_g @ x + U_g @ h + b_g)
        h' = g * h + (1 - g) * c
    """
    initialisers: ClassVar = {"b_g": 1.0}


class IntersectionRNN(EquationCell):
    """The +RNN: one gate carries the state through time, another the input through the layer, so y has D numbers.

    It is made for deep stacks. Both gates start with a bias of 1, mostly carrying on.

    Use it in deep stacks of eight layers and more, which it trains more surely than an LSTM or a GRU.
    """

    equations = """
        u  = relu(W_u @ x + U_u @ h + b_u)
        c  = tanh(W_c @ x + U_c @ h + b_c)
        s  = sigmoid(W_s @ x + U_s @ h + b_s)
        g  = sigmoid(W_g @ x + U_g @ h + b_g)
        h' = g * h + (1 - g) * c
        y  = s * x + (1 - s) * u
    """
    initialisers: ClassVar = {"b_s": 1.0, "b_g": 1.0}
