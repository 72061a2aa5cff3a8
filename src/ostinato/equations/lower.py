"""An expression to operations: the last stage of reading, and how a derivative's text becomes part of an adjoint."""

from __future__ import annotations

from collections.abc import Mapping

from ostinato.equations.expressions import Node
from ostinato.equations.program import Builder


def lower(node: Node, values: Mapping[str, str | float], builder: Builder, name: str | None = None) -> str | float:
    """Append the operations of one expression to `builder`; return the name of its value.

    `name` is given to the last operation; where there is none (`y = h`), the value keeps the name it has.
    """
    if node.fn == "number":
        return float(node.value)
    if node.fn == "name":
        return values[str(node.value)]
    if node.fn == "matmul":
        matrix, operand = node.args
        product = "matmul_t" if matrix.fn == "transposed" else "matmul"
        return builder.emit(product, (str(values[str(matrix.value)]), lower(operand, values, builder)), name)
    return builder.emit(node.fn, tuple(lower(arg, values, builder) for arg in node.args), name)
