"""minGRU and minLSTM (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, 2024, arXiv:2410.01201, sections 3.1 and 3.2)."""

from ostinato.cells.equation_cell import EquationCell


class MinGRU(EquationCell):
    """A GRU whose gate and candidate do not look back: linear in its state.

    Use it for long sequences with much to train on: it runs as a scan, and stacks of it come close to a GRU.
    """

    equations = """
        z  = sigmoid(W_z @ x + b_z)
        g  = W_h @ x + b_h
        h' = (1 - z) * h + z * g
    """


class MinLSTM(EquationCell):
    """An LSTM whose gates do not look back, scaled to add up to 1: linear in its state.

    Use it as `mingru`, where what is kept and what is written need gates of their own.
    """

    equations = """
        f  = sigmoid(W_f @ x + b_f)
        i  = sigmoid(W_i @ x + b_i)
        g  = W_h @ x + b_h
        h' = f / (f + i) * h + i / (f + i) * g
    """
