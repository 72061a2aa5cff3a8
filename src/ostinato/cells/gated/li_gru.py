"""The light gated unit (Ravanelli, Brakel, Omologo and Bengio, 2018, arXiv:1803.10225)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class LiGRU(EquationCell):
    """A GRU without a reset gate and with a rectifier, for speech.

    The paper normalises W_z @ x and W_c @ x over the batch while it learns. In the trained network that is a factor,
    which W takes in, and a shift, which is b; these are its equations then.

    Use it for acoustic models of speech, with bounded or normalised inputs: the rectifier trains fast and the reset
    gate is not missed.
    """

    equations = """
        z  = sigmoid(W_z @ x + U_z @ h + b_z)
        c  = relu(W_c @ x + U_c @ h + b_c)
        h' = z * h + (1 - z) * c
    """
    initialisers: ClassVar = {"input": "glorot", "recurrent": "orthogonal", "bias": "zeros"}
