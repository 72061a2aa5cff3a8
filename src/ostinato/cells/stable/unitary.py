"""The unitary evolution RNN (Arjovsky, Shah, Bengio, 2016, arXiv:1511.06464, section 4), W = D3 R2 F* D2 P R1 F D1."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.stable.fourier import START


class UnitaryRNN(EquationCell):
    """A complex state h + i k, turned by phases D, reflections R, a permutation P and Fourier's F = C - i S.

    Use it for copying and adding over a thousand steps, where gradients must neither vanish nor explode.
    """

    equations = """
        a1 = cos(t_1) * h - sin(t_1) * k
        b1 = sin(t_1) * h + cos(t_1) * k
        a2 = C @ a1 + S @ b1
        b2 = C @ b1 - S @ a1
        e1 = 2 * sum(p_1 * a2 + q_1 * b2) / sum(p_1 * p_1 + q_1 * q_1)
        f1 = 2 * sum(p_1 * b2 - q_1 * a2) / sum(p_1 * p_1 + q_1 * q_1)
        a3 = P @ (a2 - e1 * p_1 + f1 * q_1)
        b3 = P @ (b2 - e1 * q_1 - f1 * p_1)
        a4 = cos(t_2) * a3 - sin(t_2) * b3
        b4 = sin(t_2) * a3 + cos(t_2) * b3
        a5 = C @ a4 - S @ b4
        b5 = C @ b4 + S @ a4
        e2 = 2 * sum(p_2 * a5 + q_2 * b5) / sum(p_2 * p_2 + q_2 * q_2)
        f2 = 2 * sum(p_2 * b5 - q_2 * a5) / sum(p_2 * p_2 + q_2 * q_2)
        a6 = a5 - e2 * p_2 + f2 * q_2
        b6 = b5 - e2 * q_2 - f2 * p_2
        a7 = cos(t_3) * a6 - sin(t_3) * b6 + V_h @ x
        b7 = sin(t_3) * a6 + cos(t_3) * b6 + V_k @ x
        m  = sqrt(a7 * a7 + b7 * b7 + 0.00001)
        h' = relu(m + b) / m * a7
        k' = relu(m + b) / m * b7
        y  = U_h @ h' + U_k @ k' + b_o
    """
    sizes: ClassVar = {"y": "O"}
    frozen: ClassVar = ("C", "S", "P")
    initialisers: ClassVar = START
