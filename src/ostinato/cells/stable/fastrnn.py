"""FastRNN and FastGRNN (Kusupati et al., 2018, arXiv:1901.02358, sections 3.1 and 3.2), full and of low rank."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.initialisers import Initialiser, normal

WEIGHTS: dict[str, Initialiser] = {"input": normal(0.1), "recurrent": normal(0.1), "bias": 1.0}
"""As the authors' code starts."""
LEAN: dict[str, Initialiser] = WEIGHTS | {"alpha": -3.0, "beta": 3.0}
GATED: dict[str, Initialiser] = WEIGHTS | {"zeta": 1.0, "nu": -4.0}
RANKS = ("rank_w <= H", "rank_u <= H")


class FastRNN(EquationCell):
    """The vanilla network with a residual connection of two learned numbers.

    Use it on small devices, where a vanilla network does not train: two numbers more, and it does.
    """

    equations = """
        alpha : scalar
        beta  : scalar
        h' = sigmoid(alpha) * tanh(W @ x + U @ h + b) + sigmoid(beta) * h
    """
    initialisers: ClassVar = LEAN


class LowRankFastRNN(EquationCell):
    """FastRNN whose matrices are products of two: `rank_w` columns meet x, `rank_u` meet h.

    Use it on microcontrollers, where even one full matrix is too large.
    """

    equations = """
        alpha : scalar
        beta  : scalar
        p : rank_w
        q : rank_u
        p  = W_2 @ x
        q  = U_2 @ h
        h' = sigmoid(alpha) * tanh(W_1 @ p + U_1 @ q + b) + sigmoid(beta) * h
    """
    initialisers: ClassVar = LEAN
    limits: ClassVar = RANKS


class FastGRNN(EquationCell):
    """One gate that shares both matrices with the candidate.

    Use it on small devices, for the accuracy of a GRU with a third of its matrices.
    """

    equations = """
        zeta : scalar
        nu   : scalar
        m  = W @ x + U @ h
        z  = sigmoid(m + b_z)
        g  = tanh(m + b_h)
        h' = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * g + z * h
    """
    initialisers: ClassVar = GATED | {"b_z": 1.0, "b_h": 1.0}


class LowRankFastGRNN(EquationCell):
    """FastGRNN whose matrices are products of two: `rank_w` columns meet x, `rank_u` meet h.

    Use it on microcontrollers: models of some kilobytes for wake words and activities.
    """

    equations = """
        zeta : scalar
        nu   : scalar
        p : rank_w
        q : rank_u
        p  = W_2 @ x
        q  = U_2 @ h
        m  = W_1 @ p + U_1 @ q
        z  = sigmoid(m + b_z)
        g  = tanh(m + b_h)
        h' = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * g + z * h
    """
    initialisers: ClassVar = GATED | {"b_z": 1.0, "b_h": 1.0}
    limits: ClassVar = RANKS
