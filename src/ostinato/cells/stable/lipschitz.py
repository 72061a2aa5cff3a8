"""The Lipschitz RNN (Erichson, Azencot, Queiruga, Hodgkinson and Mahoney, 2021, arXiv:2006.12070, section 3)."""

from typing import ClassVar

from torch import Tensor

from ostinato.cells.equation_cell import EquationCell


def _over_size(tensor: Tensor, hidden_size: int) -> None:
    """Normal, its deviation 1 / H, as the authors draw both matrices."""
    tensor.normal_(0, 1 / hidden_size)


class LipschitzRNN(EquationCell):
    """A linear part and a nonlinear one, whose matrices are damped mixtures of symmetric and antisymmetric ones.

    a is A h and w is W h; `beta` 1 makes a matrix antisymmetric, 0 symmetric, `gamma` damps it, `epsilon` is the step
    of Euler's method.

    Use it where small changes of the input must not change the answer, and training must be stable.
    """

    equations = """
        epsilon = 0.01
        beta_A  = 0.8
        gamma_A = 0.01
        beta_W  = 0.8
        gamma_W = 0.01
        a  = (1 - beta_A) * (M_A @ h + M_A.T @ h) + beta_A * (M_A @ h - M_A.T @ h) - gamma_A * h
        w  = (1 - beta_W) * (M_W @ h + M_W.T @ h) + beta_W * (M_W @ h - M_W.T @ h) - gamma_W * h
        h' = h + epsilon * (a + tanh(w + U @ x + b))
    """
    initialisers: ClassVar = {"M_A": _over_size, "M_W": _over_size, "U": "glorot", "b": "zeros"}
    limits: ClassVar = (
        "epsilon > 0", "beta_A >= 0", "beta_A <= 1", "beta_W >= 0", "beta_W <= 1", "gamma_A >= 0", "gamma_W >= 0",
    )  # fmt: skip
