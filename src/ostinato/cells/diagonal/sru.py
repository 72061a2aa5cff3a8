"""The simple recurrent unit (Lei, Zhang, Wang, Dai and Artzi, 2018, arXiv:1709.02755, eq. 1 to 4).

Where the paper adds x itself in the highway, W_x @ x stands: it is what the paper does where D is not H, and it takes
up the factor alpha of its section 3.3.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class SRU(EquationCell):
    """Light recurrence: two gates that see their own unit's memory, and a highway past it. State: c.

    Use it to train language and classification models fast, in stacks of four layers and more.
    """

    equations = """
        f  = sigmoid(W_f @ x + v_f * c + b_f)
        r  = sigmoid(W_r @ x + v_r * c + b_r)
        c' = f * c + (1 - f) * (W @ x)
        y  = r * c' + (1 - r) * (W_x @ x)
    """
    initialisers: ClassVar = {"input": "lecun", "bias": "zeros"}


class SRUInputGates(EquationCell):
    """SRU of the paper's first version, section 2, whose gates see x alone: linear in its state c.

    Use it where `sru` should run as a scan over long sequences.
    """

    equations = """
        f  = sigmoid(W_f @ x + b_f)
        r  = sigmoid(W_r @ x + b_r)
        c' = f * c + (1 - f) * (W @ x)
        y  = r * tanh(c') + (1 - r) * (W_x @ x)
    """
    initialisers: ClassVar = {"input": "lecun", "bias": "zeros"}
