"""The simple recurrent network (Elman, 1990, doi:10.1207/s15516709cog1402_1)."""

from ostinato.cells.equation_cell import EquationCell


class Elman(EquationCell):
    """The vanilla network with tanh; stores and loads what `torch.nn.RNN` does.

    Use it as the control that shows what a gate is worth, for teaching, and for short dependencies where speed matters
    most.
    """

    equations = """
        h' = tanh(W @ x + b + U @ h + d)
    """


class ElmanReLU(EquationCell):
    """The vanilla network with a rectifier, `torch.nn.RNN(nonlinearity="relu")`.

    Use it where a tanh would saturate and gradients are clipped; `irnn` is its start that trains more surely.
    """

    equations = """
        h' = relu(W @ x + b + U @ h + d)
    """
