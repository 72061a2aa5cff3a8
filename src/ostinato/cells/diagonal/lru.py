"""The linear recurrent unit (Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu and De, 2023, arXiv:2303.06349, sec. 3).

Complex states s + i t, each turned and shrunk by lambda = exp(-exp(nu) + i exp(theta)): nu, theta and gamma are the
paper's nu^log, theta^log and gamma^log.
"""

from typing import ClassVar

import torch

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.ring import half_lecun, ring, unit_gain


class LRU(EquationCell):
    """Complex, diagonal and linear in its states, which start on a ring: `initialisers="ring(0.9, 0.999)"` is another.

    Where no initialiser names gamma, it follows from nu. `output_size` is O.

    Use it for the longest sequences, thousands of steps, in residual stacks with layers that mix units in between.
    """

    equations = """
        r  = exp(-exp(nu)) * cos(exp(theta))
        w  = exp(-exp(nu)) * sin(exp(theta))
        s' = r * s - w * t + exp(gamma) * (B_s @ x)
        t' = w * s + r * t + exp(gamma) * (B_t @ x)
        y  = C_s @ s' - C_t @ t' + D_x @ x
    """
    sizes: ClassVar = {"y": "O"}
    initialisers: ClassVar = {
        **ring(), "B_s": half_lecun, "B_t": half_lecun, "C_s": "lecun", "C_t": "lecun", "D_x": "lecun",
    }  # fmt: skip

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as the initialisers say."""
        super().reset_parameters()
        if "gamma" not in self._initialisers:
            with torch.no_grad():
                unit_gain(self.gamma, self.nu)
