"""The text of a cell to its `Program`: which names are states, parameters and constants, and how large each is.

read each line -> name what is free -> unify the sizes -> emit the operations -> check
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ostinato._errors import EquationError, did_you_mean
from ostinato.equations import sizes as size_rules
from ostinato.equations.expressions import Node, Statement, read_statement, read_template
from ostinato.equations.functions import ALIASES, FUNCTIONS, WRITTEN
from ostinato.equations.lines import logical_lines
from ostinato.equations.program import Builder, Input, Program, Shape
from ostinato.equations.sizes import SizeConflict, Unknown, unify

MAX_EQUATIONS = 200
SCALAR = "scalar"
"""The declared size of a single learnable number."""


def parse(text: str, sizes: Mapping[str, str] | None = None) -> Program:
    """Return the program a cell's text stands for.

    `sizes` declares sizes as lines of the text may: `{"c": "2*H"}` says what `c : 2*H` says.
    Raises EquationError, naming line and column, where the text cannot be read.
    """
    if not isinstance(text, str):
        raise EquationError(1, 1, f"equations are text, got {type(text).__name__}", "", "Pass the lines as one string")
    statements = [read_statement(line) for line in logical_lines(text)]
    if len(statements) > MAX_EQUATIONS:
        raise EquationError(
            *statements[MAX_EQUATIONS].place,
            f"the text has {len(statements)} equations",
            f"At most {MAX_EQUATIONS} are read",
            "",
        )
    names = _Names(statements, sizes or {})
    measured = _Sizes(names)
    return _emit(names, measured)


class _Names:
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
        left = {id(n.args[0]) for n in statement.expression.walk() if n.fn == "matmul"}
        for node in statement.expression.walk():
            if node.fn == "transposed" and id(node) not in left:
                raise node.error(f"'{node.text}' stands without @", "A transpose multiplies from the left: W.T @ h", "")
            if node.fn not in ("name", "transposed"):
                continue
            name = str(node.value)
            if id(node) in left:
                self._matrix(node, name)
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

    def _matrix(self, node: Node, name: str) -> None:
        plain = name.removesuffix("'")
        if plain in self.defined or name in self.defined or plain in self.states or plain in ("x", "dt"):
            kind = "number" if name == "dt" or name in self.constants else "vector"
            raise node.error(
                f"'{name}' stands left of @",
                f"{name} is a {kind}; only a parameter multiplies from the left",
                "Write * for a product number by number",
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


@dataclass
class _Sizes:
    """The size of every value, found by unification: what is added must be equally long."""

    names: _Names
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


def _emit(names: _Names, sizes: _Sizes) -> Program:
    """Write the operations, in the order of the lines."""
    free = sorted([*names.matrices.items(), *names.vectors.items()], key=lambda item: item[1].place)
    states = _output_first(names)
    inputs = [Input("x", "input", ("D",))]
    inputs += [Input("dt", "time", ())] if names.uses_dt else []
    inputs += [Input(s, "state", sizes.shape(s)) for s in states]
    inputs += [Input(name, "parameter", sizes.shape(name)) for name, _ in free]
    inputs += [Input(name, "constant", (), default) for name, default in names.constants.items()]
    builder = Builder(tuple(inputs))
    values: dict[str, str | float] = {i.name: i.name for i in inputs}
    for statement in names.equations:
        assert statement.expression is not None
        values[statement.target] = lower(statement.expression, values, builder, statement.target)
    outputs = [("y", values["y" if "y" in names.defined else f"{states[0]}'"])]
    outputs += [(f"{s}'", values[f"{s}'"]) for s in states]
    _check_outputs(names, builder, outputs)
    return builder.program(tuple((label, str(value)) for label, value in outputs))


def _check_outputs(names: _Names, builder: Builder, outputs: list[tuple[str, str | float]]) -> None:
    varying = {i.name for i in builder.inputs if i.role in ("input", "time", "state")}
    for op in builder.ops:
        if not varying.isdisjoint(op.args):
            varying.add(op.out)
    for label, value in outputs if "y" in names.defined else outputs[1:]:
        place = names.defined[label].place
        if not builder.shape(value):
            raise EquationError(*place, "the output y is one number", "The output of a cell is a vector", "")
        if value not in varying:
            raise EquationError(
                *place, f"'{label}' is the same at every step", "Neither x nor a state is on its right", ""
            )


def _output_first(names: _Names) -> list[str]:
    """Return the states in the order of their definitions, the one that `y` shows before the others."""
    line = names.defined.get("y")
    shown = str(line.expression.value) if line and line.expression and line.expression.fn == "name" else ""
    return sorted(names.states, key=lambda s: f"{s}'" != shown)


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


__all__ = ["lower", "parse", "read_template"]
