"""The orthogonal RNN of reflections (Mhammedi, Hellicar, Rahman and Bailey, 2017, arXiv:1612.00188, section 3).

U = H_1 H_2 … H_k with H_j = I - 2 u_j u_j.T / (u_j.T u_j) is orthogonal whatever the vectors are, so that no step of
training leaves the orthogonal matrices; H of them reach every one of determinant (-1)^H. The paper gives u_j
zeros at its beginning, which takes away repetitions and no matrix.

Another cell's matrix is kept orthogonal by torch: `torch.nn.utils.parametrizations.orthogonal(cell, "weight_hh")`.
"""

from typing import ClassVar

from ostinato.cells.equation_cell import EquationCell


class OrthogonalRNN(EquationCell):
    """A leaky rectifier after an orthogonal matrix made of `reflections` mirrors; k numbers a unit, not H.

    Use it for copying and other tasks of pure memory over very long lags.
    """

    @staticmethod
    def equations(reflections: int = 8) -> str:
        turned = ["h", *(f"h_{k}" for k in range(reflections, 0, -1))]
        mirrors = [
            f"""
        {after} = {before} - 2 * sum(u_{k} * {before}) / sum(u_{k} * u_{k}) * u_{k}"""
            for k, before, after in zip(range(reflections, 0, -1), turned, turned[1:], strict=False)
        ]
        return f"""
        slope = 0.1{"".join(mirrors)}
        a  = W @ x + h_1 + b
        h' = maximum(a, slope * a)
    """

    initialisers: ClassVar = {"W": "glorot", "b": "zeros"}
    limits: ClassVar = ("reflections <= 64",)
