"""The HyperLSTM (Ha, Dai and Le, 2017, arXiv:1609.09106, eq. 10 to 13 without dropout, started as in A.2.3).

Eq. 11 prints h_hat of the step before; §3.2 has embeddings depend on x, as in the authors' code. So they do here.
"""

from typing import Any, ClassVar

from ostinato.cells.equation_cell import EquationCell

SMALL = """
        {y}_hat = r_{y} * LN(W_{y}_hat @ x + V_{y}_hat @ h + U_{y}_hat @ h_hat + b_{y}_hat) + q_{y}"""
LARGE = """
        z_h{y} = A_h{y} @ h_hat' + a_h{y}
        z_x{y} = A_x{y} @ h_hat' + a_x{y}
        z_b{y} = A_b{y} @ h_hat'
        w_{y} = (D_h{y} @ z_h{y}) * (U_{y} @ h) + (D_x{y} @ z_x{y}) * (W_{y} @ x) + D_b{y} @ z_b{y} + b_{y}
        {y} = g_{y} * LN(w_{y}) + s_{y}"""
START: dict[str, Any] = {"A_h": 0.0, "A_x": 0.0, "a_h": 1.0, "a_x": 1.0, "A_b": "normal(0.01)"}
START |= {"D_h": "rows_adding_to(0.1)", "D_x": "rows_adding_to(0.1)", "D_b": 0.0}


class HyperLSTM(EquationCell):
    """An LSTM whose rows a small LSTM of `hyper_size` rescales, by embeddings of `embedding_size`; layer norms.

    Use it for language and handwriting, when accuracy counts more than time: its weights adapt at every step.
    """

    equations = f"""{"".join(SMALL.format(y=y) for y in "ifgo")}
        c_hat' = sigmoid(f_hat) * c_hat + sigmoid(i_hat) * tanh(g_hat)
        h_hat' = sigmoid(o_hat) * tanh(r_c * LN(c_hat') + q_c){"".join(LARGE.format(y=y) for y in "ifgo")}
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(g_c * LN(c') + s_c)
        y = h'
    """
    sizes: ClassVar = {"h_hat": "hyper_size"} | {f"z_{k}{y}": "embedding_size" for k in "hxb" for y in "ifgo"}
    initialisers: ClassVar[dict[str, Any]] = (
        {"input": "orthogonal", "recurrent": "orthogonal", "bias": "zeros", "other": 1.0}
        | {f"{k}_{y}": 0.0 for k in "qs" for y in "ifgoc"}
        | {f"{k}{y}": start for y in "ifgo" for k, start in START.items()}
    )
