"""Minimal gated units (Zhou et al., 2016, arXiv:1603.09420; Heck and Salem, 2017, arXiv:1701.03452).

The later paper takes away what the gate reads, one thing after another.
"""

from ostinato.cells.equation_cell import EquationCell


class MGU(EquationCell):
    """One gate decides what the candidate may see of the state and how much of it replaces the state.

    Use it where a GRU is too large: two thirds of its parameters, close to its accuracy.
    """

    equations = """
        f  = sigmoid(W_f @ x + U_f @ h + b_f)
        g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
        h' = (1 - f) * h + f * g
    """


class MGU1(EquationCell):
    """Minimal gated unit whose gate does not see the input.

    Use it where the `mgu` is still too large and the state alone can tell when to change.
    """

    equations = """
        f  = sigmoid(U_f @ h + b_f)
        g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
        h' = (1 - f) * h + f * g
    """


class MGU2(EquationCell):
    """Minimal gated unit whose gate sees the state alone, without a bias.

    Use it on small devices, with fewer parameters than `mgu1` at about its accuracy.
    """

    equations = """
        f  = sigmoid(U_f @ h)
        g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
        h' = (1 - f) * h + f * g
    """


class MGU3(EquationCell):
    """Minimal gated unit whose gate is one learned number for each unit, the same at every step.

    Use it as the smallest of the gated units: a learned leak for each unit, at the speed of a vanilla network.
    """

    equations = """
        f  = sigmoid(b_f)
        g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
        h' = (1 - f) * h + f * g
    """
