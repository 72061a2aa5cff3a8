"""How the parts of a unitary matrix start; the two halves of its Fourier transform and its permutation never learn."""

import math

import torch
from torch import Tensor

from ostinato.cells.initialisers import Initialiser, within


def cosines(tensor: Tensor, hidden_size: int) -> None:
    """The real part of the Fourier transform, over √H."""
    tensor.copy_(_angles(len(tensor)).cos() / math.sqrt(len(tensor)))


def sines(tensor: Tensor, hidden_size: int) -> None:
    """What the transform has as its negative imaginary part, over √H."""
    tensor.copy_(_angles(len(tensor)).sin() / math.sqrt(len(tensor)))


def permutation(tensor: Tensor, hidden_size: int) -> None:
    """One 1 in each row and column, drawn."""
    tensor.copy_(torch.eye(len(tensor))[torch.randperm(len(tensor))])


def _angles(size: int) -> Tensor:
    places = torch.arange(size, dtype=torch.float64)
    return (2 * math.pi / size) * (places[:, None] * places).remainder(size)


START: dict[str, Initialiser] = {
    "C": cosines, "S": sines, "P": permutation, "b": "zeros", "b_o": "zeros",
    **dict.fromkeys(("V_h", "V_k", "U_h", "U_k"), "glorot"),
    **dict.fromkeys(("t_1", "t_2", "t_3"), within(math.pi)),
    **dict.fromkeys(("p_1", "q_1", "p_2", "q_2"), within(1)),
}  # fmt: skip
"""As the paper's section 4.3 has it."""
