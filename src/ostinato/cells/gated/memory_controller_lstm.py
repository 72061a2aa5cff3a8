"""The LSTM with a memory controller (Intel, NIPS 2017 workshop, Sequence-Modeling-NIPS-2017.pdf).

As torchrecurrent 0.2.5 and RecurrentLayers.jl give it, from the same equations; the paper itself was not at hand.
"""

from ostinato.cells.equation_cell import EquationCell


class MemoryControllerLSTM(EquationCell):
    """An LSTM whose gates hear a control vector v of its memory in place of its output. State: (c, v).

    Use it where an LSTM's gates should depend on what is stored, not on what is shown.
    """

    equations = """
        f  = sigmoid(W_f @ x + U_f @ v + b_f)
        i  = sigmoid(W_i @ x + U_i @ v + b_i)
        o  = sigmoid(W_o @ x + U_o @ v + b_o)
        m  = sigmoid(W_m @ x + U_m @ v + b_m)
        n  = tanh(W_n @ x + U_n @ v + b_n)
        c' = f * c + i * n
        v' = m * tanh(c')
        y  = o * tanh(c')
    """
