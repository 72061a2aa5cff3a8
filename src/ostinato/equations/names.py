"""What each name of a cell's text is: input, state, intermediate, constant, matrix or vector parameter."""

from __future__ import annotations

from collections.abc import Mapping

from ostinato._errors import EquationError, did_you_mean
from ostinato.equations import sizes as size_rules
from ostinato.equations.expressions import Node, Statement
from ostinato.equations.functions import ALIASES, WRITTEN

SCALAR = "scalar"
"""The declared size of a single learnable number."""


class Names:
    """What each name is: input, state, intermediate, constant, matrix or vector parameter."""

    def __init__(self, statements: list[Statement], sizes: Mapping[str, str]):
        self.declared = {name: _declared(str(size), name, (1, 1)) for name, size in sizes.items()}
        self.equations: list[Statement] = []
        self.constants: dict[str, float] = {}
        self.defined: dict[str, Statement] = {}
        for statement in statements:
            self._enter(statement)
        self.states = [s.target.removesuffix("'") for s in self.equations if s.target.endswith("'")]
        if not self.states:
            self._no_state()
        self.matrices: dict[str, Node] = {}
        self.vectors: dict[str, Node] = {}
        self.uses_dt = False
        for k, statement in enumerate(self.equations):
            self._classify(k, statement)
        self._check_declared()
        self._check_used()

    def _enter(self, statement: Statement) -> None:
        name, plain = statement.target, statement.target.removesuffix("'")
        if statement.size is not None:
            if plain in self.declared:
                raise EquationError(
                    *statement.place, f"the size of '{plain}' is declared twice", "", "Keep one declaration"
                )
            self.declared[plain] = _declared(statement.size, plain, statement.place)
            return
        if plain in ("x", "dt"):
            raise EquationError(
                *statement.place,
                f"'{name}' is defined",
                f"{plain} is {'the input of the step' if plain == 'x' else 'the time since the last step'}",
                "Choose another name",
            )
        if plain in WRITTEN or plain in ALIASES:
            raise EquationError(
                *statement.place, f"'{name}' is defined", f"{plain} is a function", "Choose another name"
            )
        if name in self.defined:
            first = self.defined[name].place[0]
            raise EquationError(
                *statement.place,
                f"'{name}' is defined twice",
                f"It was defined on line {first}",
                "Give one of them another name",
            )
        other = plain if name.endswith("'") else f"{plain}'"
        if other in self.defined:
            raise EquationError(
                *statement.place,
                f"both '{plain}' and '{plain}'' are defined",
                f"{plain} is the state before the step, {plain}' after it",
                f"Give the line without the prime another name than '{plain}'",
            )
        self.defined[name] = statement
        assert statement.expression is not None
        if statement.expression.fn == "number" and not name.endswith("'"):
            self.constants[name] = float(statement.expression.value)
        else:
            self.equations.append(statement)

    def _no_state(self) -> None:
        if not self.equations:
            raise EquationError(
                1,
                1,
                "there is no equation",
                "A cell defines at least one state",
                "Write h' = tanh(W @ x + U @ h + b)",
            )
        own = next(
            (s for s in self.equations if s.expression and s.target in {n.value for n in s.expression.walk()}),
            self.equations[-1],
        )
        raise EquationError(
            *own.place,
            "no line defines a state",
            "A state's next value is written with a prime",
            f"Write {own.target}' = … for what the next step remembers",
        )

    def _classify(self, position: int, statement: Statement) -> None:
        earlier = {s.target for s in self.equations[:position]}
        assert statement.expression is not None
        left = {id(n.args[0]): n.args[1] for n in statement.expression.walk() if n.fn == "matmul"}
        for node in statement.expression.walk():
            if node.fn == "transposed" and id(node) not in left:
                raise node.error(f"'{node.text}' stands without @", "A transpose multiplies from the left: W.T @ h", "")
            if node.fn not in ("name", "transposed"):
                continue
            name = str(node.value)
            if id(node) in left:
                self._matrix(node, name, left[id(node)])
            elif name in ALIASES or name in WRITTEN:
                raise node.error(f"the function '{name}' stands without brackets", "", f"Write {name}(…)")
            elif name == "dt":
                self.uses_dt = True
            elif name.endswith("'"):
                self._next_value(node, name, earlier)
            elif name in self.defined and name not in self.constants:
                if name not in earlier:
                    self._too_early(node, name, statement)
            elif name == "y" and name not in self.states:
                raise node.error(
                    "'y' is used, and no line defines it",
                    "y is the output of the cell",
                    "Write y = … above, or y' = … for a state",
                )
            elif name != "x" and name not in self.states and name not in self.constants:
                self.vectors.setdefault(name, node)
        for name in self.matrices.keys() & self.vectors.keys():
            node = self.vectors[name]
            raise node.error(
                f"'{name}' is used as a vector",
                f"On line {self.matrices[name].place[0]} it stands left of @, which makes it a matrix",
                "Give the vector another name",
            )

    def _matrix(self, node: Node, name: str, operand: Node) -> None:
        plain = name.removesuffix("'")
        if plain in self.defined or name in self.defined or plain in self.states or plain in ("x", "dt"):
            kind = "number" if name == "dt" or name in self.constants else "vector"
            matrix = str(operand.value) if operand.fn == "name" else ""
            is_free = matrix and not {matrix, f"{matrix}'"} & self.defined.keys() and matrix not in ("x", "dt")
            raise node.error(
                f"'{name}' stands left of @",
                f"{name} is a {kind}; only a parameter multiplies from the left",
                f"Write {matrix} @ {name}"
                if is_free and kind == "vector"
                else "Write * for a product number by number",
            )
        if name in WRITTEN or name in ALIASES or name.endswith("'"):
            raise node.error(f"'{name}' stands left of @", "Only a parameter multiplies from the left", "")
        self.matrices.setdefault(name, node)

    def _next_value(self, node: Node, name: str, earlier: set[str]) -> None:
        if name in earlier:
            return
        if name in self.defined:
            raise node.error(
                f"'{name}' is used before it is defined",
                f"It is defined on line {self.defined[name].place[0]}",
                "Move that line up, or drop the prime to read the value before the step",
            )
        near = did_you_mean(name, [f"{s}'" for s in self.states])
        raise node.error(
            f"'{name}' is used, and no line defines it",
            f"Defined are {', '.join(s + chr(39) for s in self.states)}",
            near,
        )

    def _too_early(self, node: Node, name: str, statement: Statement) -> None:
        if name == statement.target:
            raise node.error(
                f"'{name}' is used in its own definition",
                "A value that the next step remembers is a state",
                f"Write {name}' = … to make it one",
            )
        raise node.error(
            f"'{name}' is used before it is defined",
            f"It is defined on line {self.defined[name].place[0]}",
            "Move that line up",
        )

    def _check_declared(self) -> None:
        known = {*self.matrices, *self.vectors, *(s.target.removesuffix("'") for s in self.equations)}
        for name, (size, place) in self.declared.items():
            if name in ("x", "dt") or name in self.constants:
                what = "the input, which has D numbers" if name == "x" else "one number"
                raise EquationError(
                    *place, f"the size {size} is declared for '{name}'", f"{name} is {what}", "Remove the declaration"
                )
            if name not in known:
                raise EquationError(
                    *place,
                    f"a size is declared for '{name}', which no equation uses",
                    f"Used are {', '.join(sorted(known))}",
                    did_you_mean(name, known),
                )
            if name in self.matrices:
                raise EquationError(
                    *place,
                    f"the size {size} is declared for the matrix '{name}'",
                    "The sizes of a matrix follow from what it multiplies",
                    "Declare the size of that vector",
                )

    def _check_used(self) -> None:
        used = {
            str(n.value)
            for s in self.equations
            if s.expression
            for n in s.expression.walk()
            if n.fn in ("name", "transposed")
        }
        for name, statement in self.defined.items():
            if name not in used and not name.endswith("'") and name != "y":
                raise EquationError(
                    *statement.place,
                    f"'{name}' is defined and never used",
                    "Every line leads to a state or to the output y",
                    "Use it, or remove the line",
                )


def _declared(size: str, name: str, place: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    if size == SCALAR:
        return SCALAR, place
    try:
        return size_rules.normal(size), place
    except ValueError:
        raise EquationError(
            *place,
            f"'{size}' is declared as the size of '{name}'",
            "A size reads 3, H, 2*H, H//2, H + D or scalar",
            "",
        ) from None
