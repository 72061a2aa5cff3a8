"""The chaos-free network (Laurent and von Brecht, 2016, arXiv:1612.06212)."""

from ostinato.cells.equation_cell import EquationCell


class CFN(EquationCell):
    """A gated unit whose state, with no input, falls back to zero: theta keeps, eta lets the input in.

    Use it in language models, when states should not wander by themselves: its dynamics are never chaotic.
    """

    equations = """
        theta = sigmoid(U_theta @ h + V_theta @ x + b_theta)
        eta   = sigmoid(U_eta @ h + V_eta @ x + b_eta)
        h'    = theta * tanh(h) + eta * tanh(W @ x)
    """
