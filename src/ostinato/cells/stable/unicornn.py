"""The undamped independent controlled oscillatory RNN (Rusch and Mishra, 2021, arXiv:2103.05487, symplectic Euler)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.initialisers import between, within


class UnICORNN(EquationCell):
    """Oscillators that do not hear each other and lose no energy: h where they are (the paper's y), z how fast.

    `delta_t` is the step, `alpha` the frequency; the numbers are those of permuted sequential MNIST.

    Use it for the longest sequences, thousands of steps: it is invertible, its units are independent, and stacks are
    cheap.
    """

    equations = """
        delta_t = 0.19
        alpha   = 30.65
        s  = delta_t * sigmoid(c)
        z' = z - s * (tanh(w * h + V @ x + b) + alpha * h)
        h' = h + s * z'
        y  = h'
    """
    initialisers: ClassVar = {"w": between(0, 1), "c": within(0.1), "b": "zeros"}
    limits: ClassVar = ("delta_t > 0", "alpha >= 0")
