"""The light recurrent unit (Ye, Zhang, Liu, Li, Chang and Zheng, 2024, doi:10.3390/electronics13163204, §3.2)."""

from ostinato.cells.equation_cell import EquationCell


class LightRU(EquationCell):
    """One gate, which alone sees the state: a candidate from the input replaces what is forgotten.

    Use it where most of the work should be ahead of the recurrence, in one large product over all steps.
    """

    equations = """
        g  = tanh(W_g @ x)
        f  = sigmoid(W_f @ x + U_f @ h + b_f)
        h' = (1 - f) * h + f * g
    """
