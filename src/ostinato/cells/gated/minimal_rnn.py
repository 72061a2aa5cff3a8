"""The minimal network (Chen, 2017, arXiv:1711.06788)."""

from ostinato.cells.equation_cell import EquationCell


class MinimalRNN(EquationCell):
    """One gate, for each unit, between the state and the input's own representation: no unit is moved by another.

    Use it where trainability matters more than expression: long inputs of which each step says little.
    """

    equations = """
        z  = tanh(W @ x + b_z)
        u  = sigmoid(U @ h + V @ z + b_u)
        h' = u * h + (1 - u) * z
    """
