"""The minion recurrent unit (Zyarah and Kudithipudi, 2025, arXiv:2503.06175, doi:10.1016/j.neucom.2026.132847)."""

from ostinato.cells.equation_cell import EquationCell


class MiRU1(EquationCell):
    """A GRU whose update gate is one fixed number, `update`: the share of the state that stays.

    Use it on small devices, where one gate is enough and its share can be chosen by hand or by search.
    """

    equations = """
        update = 0.5
        r  = sigmoid(W_r @ x + U_r @ h + b_r)
        n  = tanh(W_n @ x + U_n @ (r * h) + b_n)
        h' = update * h + (1 - update) * n
    """
    limits = ("update >= 0", "update <= 1")


class MiRU2(EquationCell):
    """A GRU whose gates are two fixed numbers: `update`, the share that stays, and `reset`, the share that is read.

    Use it on the smallest devices: a vanilla network with two numbers, which cost nothing, and a longer memory.
    """

    equations = """
        update = 0.5
        reset  = 0.5
        n  = tanh(W_n @ x + U_n @ (reset * h) + b_n)
        h' = update * h + (1 - update) * n
    """
    limits = ("update >= 0", "update <= 1", "reset >= 0", "reset <= 1")
