"""Models whose gradient flow is known."""

import pytest
import torch
from torch import nn

import ostinato


class Last(nn.Module):
    """Layers whose loss is the squared output of the last step."""

    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent

    def loss(self, inputs, state=None):
        outputs, state = self.recurrent(inputs)
        return outputs[-1].square().sum(), len(outputs), state


@pytest.fixture
def last():
    return Last


@pytest.fixture
def linear():
    """Return a function: a recurrent matrix to the linear network that has it."""

    def made(matrix, equation="h' = U @ h + W @ x"):
        size = len(matrix)
        cell = ostinato.cell(equation, input_size=size, hidden_size=size).double()
        with torch.no_grad():
            cell.U.copy_(matrix)
        return Last(ostinato.Recurrent(cell))

    return made
