"""The simple and the deep simple gated unit (Gao and Glowacka, 2016, arXiv:1604.02910)."""

from ostinato.cells.equation_cell import EquationCell


class SGU(EquationCell):
    """One gate of sums and one of products; softplus keeps a state alive that starts at zero.

    Use it for classifying short sequences with few parameters, after the paper.
    """

    equations = """
        a  = tanh(U_a @ ((W_a @ x + b_a) * h))
        o  = softplus(a * h)
        z  = hard_sigmoid(W_z @ x + U_z @ h + b_z)
        h' = (1 - z) * h + z * o
    """


class DSGU(EquationCell):
    """The simple gated unit with one more matrix behind its product, and a sigmoid, which bounds it.

    Use it where `sgu` is too unstable: longer sequences and larger learning rates.
    """

    equations = """
        a  = tanh(U_a @ ((W_a @ x + b_a) * h))
        o  = sigmoid(U_o @ (a * h))
        z  = hard_sigmoid(W_z @ x + U_z @ h + b_z)
        h' = (1 - z) * h + z * o
    """
