"""The GRU with weighted feedback from the past (Erichson, Lim and Mahoney, 2022, arXiv:2212.00228, τ-GRU)."""

from itertools import pairwise

from ostinato.cells.equation_cell import EquationCell


class TauGRU(EquationCell):
    """A GRU that also reads its state of `delay` steps earlier, weighted by a gate. State: (h, h_1, …, h_delay).

    Use it for systems with delays, such as biology, climate and control, where `delay` is about the lag.
    """

    @staticmethod
    def equations(delay: int = 5) -> str:
        """Return the equations: h_k is the state k steps before h, all zero before the sequence starts."""
        past = ["h", *(f"h_{k}" for k in range(1, delay + 1))]
        moved = "\n            ".join(f"{older}' = {newer}" for newer, older in pairwise(past))
        return f"""
            u  = tanh(W_u @ x + U_u @ h + b_u)
            z  = tanh(W_z @ x + U_z @ {past[-1]} + b_z)
            g  = sigmoid(W_g @ x + U_g @ h + b_g)
            a  = sigmoid(W_a @ x + U_a @ h + b_a)
            h' = (1 - g) * h + g * (u + a * z)
            {moved}
        """
