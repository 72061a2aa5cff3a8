"""The real-gated LRU (De, Smith, Fernando et al., 2024, arXiv:2402.19427, eq. 1 to 4).

The paper's x has H numbers: here it is v, the linear layer in front of the unit in the paper's recurrent block.
log a is c r log sigmoid(lambda) = -c r softplus(-lambda), as eq. 3 and the definition of a say; the appendix prints
softplus(lambda), which has the other sign.
"""

from typing import ClassVar

import torch
from torch import Tensor

from ostinato.cells.equation_cell import EquationCell

LEAST, MOST, SHARPNESS = 0.9, 0.999, 8
"""Between what a ** c starts, and the paper's c."""


def _remembering(tensor: Tensor, hidden_size: int) -> None:
    """Lambda such that sigmoid(lambda) ** c is uniform between 0.9 and 0.999."""
    tensor.copy_(torch.empty_like(tensor, dtype=torch.float64).uniform_(LEAST, MOST).pow(1 / SHARPNESS).logit())


class RGLRU(EquationCell):
    """A gate on the decay and one on the input, neither of which looks back: linear in its state.

    Use it in deep language models beside local attention or convolution, as the paper has it.
    """

    equations = """
        c  = 8
        v  = W_v @ x + b_v
        r  = sigmoid(W_a @ v + b_a)
        i  = sigmoid(W_x @ v + b_x)
        a  = exp(-c * r * softplus(-l))
        h' = a * h + sqrt(maximum(1 - a * a, 0.000001)) * (i * v)
    """
    initialisers: ClassVar = {"input": "lecun", "recurrent": "lecun", "bias": "zeros", "l": _remembering}
    limits: ClassVar = ("c > 0",)
