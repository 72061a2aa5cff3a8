"""The simple recurrent network (Elman, 1990, doi:10.1207/s15516709cog1402_1)."""

from ostinato.cells.equation_cell import EquationCell


class Elman(EquationCell):
    """The vanilla network with tanh; stores and loads what `torch.nn.RNN` does."""

    equations = """
        h' = tanh(W @ x + b + U @ h + d)
    """


class ElmanReLU(EquationCell):
    """The vanilla network with a rectifier, `torch.nn.RNN(nonlinearity="relu")`."""

    equations = """
        h' = relu(W @ x + b + U @ h + d)
    """
