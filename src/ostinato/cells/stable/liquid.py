"""Liquid time constants (Hasani, Lechner, Amini, Rus and Grosu, 2021, arXiv:2006.04439, eq. 1 and 3, algorithm 1)."""

import math
from itertools import pairwise
from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell

LEAK_OF_ONE = math.log(math.e - 1)
"""Its softplus is 1."""


class LTC(EquationCell):
    """The differential equation h' = -(1/tau + f) h + f A over the time `dt`, in `unfolds` steps of the fused solver.

    f is a sigmoid, as the paper's bounds on time constant and state need, and 1/tau, the softplus of g, is positive.

    Use it for signals sampled at irregular times, whose dynamics should be readable as time constants.
    """

    @staticmethod
    def equations(unfolds: int = 6) -> str:
        states = ["h", *(f"h_{k}" for k in range(1, unfolds)), "h'"]
        steps = [
            f"""
        f_{k} = sigmoid(i + U @ {before})
        {after} = ({before} + s * f_{k} * A) / (1 + s * (leak + f_{k}))"""
            for k, (before, after) in enumerate(pairwise(states), start=1)
        ]
        return f"""
        s    = dt / {unfolds}
        leak = softplus(g)
        i    = W @ x + b{"".join(steps)}
    """

    initialisers: ClassVar = {"W": "glorot", "U": "glorot", "b": "zeros", "g": LEAK_OF_ONE}
    limits: ClassVar = ("dt > 0", "unfolds <= 64")
