"""The stackable recurrent cell (Turkoglu, D'Aronco, Wegner and Schindler, 2019, arXiv:1911.11033)."""

from ostinato.cells.equation_cell import EquationCell


class STAR(EquationCell):
    """One gate and a bounded sum, so that gradients keep their size from layer to layer.

    Use it in deep stacks, whose gradients keep their size without care, at less than half the cost of an LSTM.
    """

    equations = """
        z  = tanh(W_z @ x + b_z)
        k  = sigmoid(W_k @ x + U_k @ h + b_k)
        h' = tanh((1 - k) * h + k * z)
    """
