"""The coupled oscillatory RNN (Rusch and Mishra, 2021, arXiv:2010.00951, eq. 3, its explicit form)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class CoRNN(EquationCell):
    """Driven, damped, coupled oscillators: h where they are (the paper's y), z how fast they move.

    `delta_t` is the step, `gamma` the frequency, `epsilon` the damping; the numbers are those of sequential MNIST.

    Use it for very long sequences of continuous signals, hundreds to thousands of steps, with small steps `delta_t`.
    """

    equations = """
        delta_t = 0.042
        gamma   = 2.7
        epsilon = 4.7
        z' = z + delta_t * (tanh(W_h @ h + W_z @ z + V @ x + b) - gamma * h - epsilon * z)
        h' = h + delta_t * z'
        y  = h'
    """
    limits: ClassVar = ("delta_t > 0", "gamma > 0", "epsilon > 0")
