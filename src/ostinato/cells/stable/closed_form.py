"""Closed-form continuous time (Hasani, Lechner, Amini et al., 2022, arXiv:2106.13898, the gated solution)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class CfC(EquationCell):
    """The closed form of a liquid network: from g to q, the paper's h, as the time `dt` goes on.

    f, g and q share a backbone k of `layers` layers of H units, with LeCun's tanh as the authors have it.

    Use it for signals sampled at irregular times, when a solver is too slow: about the accuracy of `ltc` in one step.
    """

    @staticmethod
    def equations(layers: int = 1) -> str:
        sums = ["W_k @ x + U_k @ h + b_1", *(f"K_{n} @ k_{n - 1} + b_{n}" for n in range(2, layers + 1))]
        backbone = [
            f"""
        k_{n} = 1.7159 * tanh(0.666 * ({total}))"""
            for n, total in enumerate(sums, start=1)
        ]
        return f"""{"".join(backbone)}
        f  = W_f @ k_{layers} + b_f
        g  = tanh(W_g @ k_{layers} + b_g)
        q  = tanh(W_q @ k_{layers} + b_q)
        s  = sigmoid(-f * dt)
        h' = s * g + (1 - s) * q
    """

    initialisers: ClassVar = {"input": "glorot", "recurrent": "glorot", "bias": "zeros"}
    limits: ClassVar = ("dt > 0", "layers <= 64")
