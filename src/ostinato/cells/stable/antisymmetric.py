"""The antisymmetric RNN (Chang, Chen, Haber and Chi, 2019, arXiv:1902.09689, section 3: with diffusion, and gated).

A step of Euler's method, of length epsilon, along a differential equation whose Jacobian W - W.T - gamma I has
eigenvalues with real parts near zero: what the state holds neither fades nor explodes. The paper stores the upper
triangle of W alone; W - W.T reaches the same matrices.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class AntisymmetricRNN(EquationCell):
    """A residual step through an antisymmetric matrix, with `gamma` of damping.

    Use it for long inputs of which little is lost or amplified: pixels one by one, long sensor series.
    """

    equations = """
        epsilon = 0.01
        gamma   = 0.01
        h' = h + epsilon * tanh(W @ h - W.T @ h - gamma * h + V @ x + b)
    """
    initialisers: ClassVar = {"V": "lecun", "W": "lecun", "b": "zeros"}
    limits: ClassVar = ("epsilon > 0", "gamma >= 0")


class GatedAntisymmetricRNN(EquationCell):
    """The antisymmetric network with a gate on each step, which shares the recurrent matrix.

    Use it where the antisymmetric network is too rigid: its steps are scaled by what comes in.
    """

    equations = """
        epsilon = 0.01
        gamma   = 0.01
        m  = W @ h - W.T @ h - gamma * h
        z  = sigmoid(m + V_z @ x + b_z)
        h' = h + epsilon * z * tanh(m + V_h @ x + b_h)
    """
    initialisers: ClassVar = {"input": "lecun", "W": "lecun", "bias": "zeros"}
    limits: ClassVar = ("epsilon > 0", "gamma >= 0")
