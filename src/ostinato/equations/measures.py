"""The size of every value of a cell, found by unification: what is added must be equally long."""

from __future__ import annotations

from dataclasses import dataclass, field

from ostinato.equations.expressions import Node, Statement
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.names import SCALAR, Names
from ostinato.equations.program import Shape
from ostinato.equations.sizes import SizeConflict, Unknown, unify


@dataclass
class Measures:
    """The size of every value, found by unification: what is added must be equally long."""

    names: Names
    vector: dict[str, Unknown | None] = field(default_factory=dict)
    matrix: dict[str, tuple[Unknown, Unknown]] = field(default_factory=dict)
    unsettled: list[Unknown] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = self.names
        self.vector["x"] = Unknown("the input x has D numbers", "D")
        self.vector |= dict.fromkeys(names.constants) | {"dt": None}
        for name in [*names.states, *names.vectors]:
            self.vector[name] = self._declared(name)
        for name in names.matrices:
            self.matrix[name] = (
                self._unknown(f"the rows of {name}"),
                self._unknown(f"the columns of {name}"),
            )
        for statement in names.equations:
            self._equation(statement)
        first = self.vector[names.states[0]]
        for size in [first, *self.unsettled]:
            if size is not None:
                size.settle("H")

    def _unknown(self, because: str) -> Unknown:
        self.unsettled.append(unknown := Unknown(because))
        return unknown

    def _declared(self, name: str) -> Unknown | None:
        size = self.names.declared.get(name, (None,))[0]
        if size == SCALAR:
            return None
        return Unknown(f"{name} is declared {size}", size) if size else self._unknown(f"the size of {name}")

    def _equation(self, statement: Statement) -> None:
        target, plain = statement.target, statement.target.removesuffix("'")
        assert statement.expression is not None
        size = self._measure(statement.expression)
        wanted = (
            self.vector[plain]
            if target.endswith("'")
            else (self._declared(plain) if plain in self.names.declared else size)
        )
        if wanted is not None and size is not None:
            self._agree(wanted, size, statement.expression)
        elif target.endswith("'") and wanted is None:
            raise statement.expression.error(
                f"the state '{plain}' is declared {SCALAR}",
                "A state is a vector, if only of one number",
                f"Declare {plain} : 1",
            )
        elif wanted is not None:
            raise statement.expression.error(
                f"'{statement.text}' gives one number",
                f"{f'The state {plain}' if target.endswith(chr(39)) else plain} is a vector",
                "Use a vector on the right, such as a parameter",
            )
        if wanted is None and size is not None:
            raise statement.expression.error(
                f"'{plain}' is declared {SCALAR}", "Its equation gives a vector", "Use sum or mean"
            )
        self.vector[target] = wanted if wanted is not None else size

    def _agree(self, left: Unknown, right: Unknown, node: Node) -> Unknown:
        try:
            return unify(left, right)
        except SizeConflict as conflict:
            a, b = conflict.left, conflict.right
            raise node.error(
                f"sizes conflict in '{node.text}': {a.size} and {b.size}",
                f"{a.because} ({a.size}); {b.because} ({b.size})",
                "Make them equal, or put a matrix between them",
            ) from None

    def _measure(self, node: Node) -> Unknown | None:
        """Return the size of a piece (None for a single number)."""
        if node.fn == "number":
            return None
        if node.fn == "name":
            return self.vector[str(node.value)]
        if node.fn == "matmul":
            return self._product(node)
        parts = [(arg, self._measure(arg)) for arg in node.args]
        if node.fn == "pow" and not (node.args[1].fn == "number" or node.args[1].value in self.names.constants):
            raise node.args[1].error(
                f"'{node.args[1].text}' is an exponent",
                "Powers are by a number or a constant",
                "Write exp(b * log(a))",
            )
        kind = FUNCTIONS[node.fn].kind
        if kind in ("row", "reduction"):
            if parts[0][1] is None:
                raise node.error(
                    f"{node.fn} was given one number, '{node.args[0].text}'",
                    f"{node.fn} works over a vector",
                    "",
                )
            return parts[0][1] if kind == "row" else None
        vectors = [size for _, size in parts if size is not None]
        for size in vectors[1:]:
            self._agree(vectors[0], size, node)
        return vectors[0] if vectors else None

    def _product(self, node: Node) -> Unknown:
        matrix, operand = node.args
        size = self._measure(operand)
        if size is None:
            raise operand.error(
                f"'{operand.text}' is one number and stands right of @",
                "A matrix multiplies a vector",
                "Write * instead",
            )
        rows, columns = self.matrix[str(matrix.value)]
        if matrix.fn == "transposed":
            rows, columns = columns, rows
        self._agree(columns, size, node)
        return rows

    def shape(self, name: str) -> Shape:
        if name in self.matrix:
            return tuple(u.known or "H" for u in self.matrix[name])
        size = self.vector[name]
        return () if size is None else (size.known or "H",)
