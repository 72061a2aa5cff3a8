"""Recurrent highway networks (Zilly, Srivastava, Koutník and Schmidhuber, 2017, arXiv:1607.03474, eq. 6 to 9)."""

from collections.abc import Mapping
from typing import Any

from ostinato.cells.equation_cell import EquationCell

OPEN_TO_CARRY = -2.0
"""The bias of a transform gate at the start, as in the paper's experiments on words: most of the state is carried."""
FUNCTIONS = {"h": "tanh", "t": "sigmoid", "c": "sigmoid"}


def highway(depth: int, gates: str, carried: str) -> str:
    """Return `depth` layers from the state s to itself, with these of h, t and c; `carried` is the share of s kept."""
    lines = []
    for k in range(1, depth + 1):
        before, after = ("s" if k == 1 else f"s_{k - 1}"), (f"s_{k}" if k < depth else "s'")
        for y in gates:
            seen = f"W_{y} @ x + " if k == 1 else ""
            lines.append(f"{y}_{k} = {FUNCTIONS[y]}({seen}U_{y}{k} @ {before} + b_{y}{k})")
        lines.append(f"{after} = h_{k} * t_{k} + {before} * {carried.format(k=k)}")
    return "\n".join(lines)


class RecurrentHighway(EquationCell):
    """`depth` highway layers a step, each carrying on what it does not replace (c = 1 - t, as in the experiments).

    Use it for language models of one layer that computes deeply within each step; `depth` of 4 to 10.
    """

    @staticmethod
    def equations(depth: int = 3) -> str:
        """Return the equations of `depth` layers."""
        return highway(depth, "ht", "(1 - t_{k})")

    @property
    def initialisers(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The transform gates' biases, as many as there are layers."""
        return {f"b_t{k}": OPEN_TO_CARRY for k in range(1, self.counts["depth"] + 1)}


class UncoupledRecurrentHighway(RecurrentHighway):
    """`depth` highway layers a step, with a gate of its own for what each carries on.

    Use it beside `recurrent-highway`, where memory should be kept and written independently.
    """

    @staticmethod
    def equations(depth: int = 3) -> str:
        """Return the equations of `depth` layers."""
        return highway(depth, "htc", "c_{k}")
