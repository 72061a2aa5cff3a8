"""The structurally constrained network (Mikolov et al., 2014, arXiv:1412.7753)."""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class SCRN(EquationCell):
    """A hidden layer beside a slow context s, which keeps the share `alpha` of itself at each step.

    `context_size` is the length of s. The output layer, of `output_size` numbers (default: `hidden_size`), reads both;
    the paper's softmax over it is left to the loss. State: (s, h).

    Use it in small language models, where a slow context of some tens of units is worth most of an LSTM.
    """

    equations = """
        alpha = 0.95
        s'    = (1 - alpha) * (B @ x) + alpha * s
        h'    = sigmoid(P @ s' + A @ x + R @ h)
        y     = U @ h' + V @ s'
    """
    sizes: ClassVar = {"s": "context_size", "h": "H", "y": "O"}
    limits: ClassVar = ("alpha >= 0", "alpha <= 1")
