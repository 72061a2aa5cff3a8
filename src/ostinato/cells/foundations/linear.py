"""The linear network (Orvieto et al., 2023, arXiv:2303.06349, eq. 1 without its nonlinearity)."""

from ostinato.cells.equation_cell import EquationCell


class LinearRNN(EquationCell):
    """The vanilla network without a nonlinearity: a linear filter of its inputs with a full matrix.

    Use it as the control for nonlinearity, to fit linear systems, and to study memory where it can be worked out by
    hand.
    """

    equations = """
        h' = W @ x + U @ h + b
    """
