"""The simple gated recurrent network (Zu and Wei, 2020, doi:10.1049/gtd2.12056)."""

from ostinato.cells.equation_cell import EquationCell


class SGRN(EquationCell):
    """One gate, and one product with the input that serves both the gate and the candidate.

    Use it where a GRU is too slow: gate and candidate share their product with the input.
    """

    equations = """
        a  = W @ x
        f  = sigmoid(a + U @ h + b)
        h' = tanh((1 - f) * a + f * h)
    """
