"""One equation as a tree: Python's own grammar, read with `ast`, narrowed to what a cell may say."""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from ostinato._errors import EquationError, did_you_mean
from ostinato.equations.functions import ALIASES, FUNCTIONS, WRITTEN
from ostinato.equations.lines import PRIME, Line, shown

_BINARY = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
}
_COMPARE = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le"}
MAX_NESTING = 100
"""Levels of one expression's tree; a sum of n terms has n."""
OUR_OWN = 0
"""The line number of texts that no user wrote."""
_INSTEAD = {
    ast.FloorDiv: "write / for division", ast.Mod: "there is no remainder; write it with sin or where",
    ast.BitXor: "a power is written **", ast.BitAnd: "a choice is written where(a > b, this, that)",
    ast.BitOr: "a choice is written where(a > b, this, that)", ast.LShift: "write a product",
    ast.RShift: "write a quotient",
}  # fmt: skip
_TIME_INDEX = re.compile(r"\w+_\{[^}]*\}?")
_PYTHON_WORD = re.compile(rf"\b(?:{'|'.join(keyword.kwlist)})\b(?!{PRIME})")
_OUR_HELPERS = {"count", "fill", "largest"}
"""What only derivatives of the functions table call."""


@dataclass(frozen=True)
class Node:
    """A piece of an equation: a "name", a "number", "transposed" matrix, or a function over pieces."""

    fn: str
    args: tuple[Node, ...]
    value: str | float
    place: tuple[int, int]
    text: str

    def walk(self) -> Iterator[Node]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    def error(self, got: str, possible: str = "", advice: str = "") -> EquationError:
        return EquationError(*self.place, got, possible, advice)


@dataclass(frozen=True)
class Statement:
    """`target = expression`, or the declaration `target : size` (then `expression` is None)."""

    target: str
    expression: Node | None
    size: str | None
    place: tuple[int, int]
    text: str


def read_statement(line: Line) -> Statement:
    """Read one logical line; EquationError where it is neither an equation nor a declaration."""
    tree = _python_tree(line)
    reader = _Reader(line)
    if len(tree.body) != 1:
        raise reader.error(
            tree.body[1],
            "a second statement stands on this line",
            "",
            "Put each equation on its own line, without ;",
        )
    match tree.body[0]:
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
            return Statement(
                reader.name(name, target),
                reader.expression(value),
                None,
                reader.place(target),
                shown(line.text),
            )
        case ast.AnnAssign(target=ast.Name(id=name) as target, annotation=annotation, value=None):
            return Statement(
                reader.name(name, target),
                None,
                reader.source(annotation),
                reader.place(annotation),
                shown(line.text),
            )
        case ast.Assign(targets=targets):
            bad = targets[1] if len(targets) > 1 else targets[0]
            raise reader.error(
                bad,
                f"'{reader.source(bad)}' stands left of =",
                "One name is defined by each equation",
                "Write name = expression",
            )
        case other:
            raise reader.error(
                other,
                f"'{reader.source(other)}' is not an equation",
                "A line reads name = expression",
                _instead_of(other),
            )


def _instead_of(statement: ast.stmt) -> str:
    match statement:
        case ast.AugAssign(target=ast.Name(id=name)):
            return f"Write {shown(name)} = … in full"
        case ast.AnnAssign():
            return "Declare a size on a line of its own: h : H"
        case ast.Expr(value=ast.Compare(ops=[ast.Eq(), *_])):
            return "Write a single ="
        case ast.Expr():
            return "Give the value a name"
    return "A cell is nothing but equations"


def _python_tree(line: Line) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(line.text)
    except SyntaxError as error:
        raise _unreadable(line, error) from None
    except (RecursionError, MemoryError, ValueError):
        raise EquationError(
            *line.place(1, 0),
            "this equation is nested too deeply",
            "",
            "Name its parts on lines of their own",
        ) from None


def _unreadable(line: Line, error: SyntaxError) -> EquationError:
    """Say in the words of equations what Python could not read."""
    rows = line.text.split("\n")
    row = min(error.lineno or 1, len(rows))
    offset = min(max(0, (error.offset or 1) - 1), len(rows[row - 1]))
    kept = _PYTHON_WORD.search(line.text)
    if kept:
        before = line.text[: kept.start()].split("\n")
        return EquationError(
            *line.place(len(before), len(before[-1])),
            f"'{kept[0]}' was read",
            "Python keeps this word for itself, so it names nothing in equations",
            f"Write {kept[0]}_ or another name",
        )
    indexed = _TIME_INDEX.search(line.text)
    if indexed:
        before = line.text[: indexed.start()].split("\n")
        return EquationError(
            *line.place(len(before), len(before[-1])),
            f"'{shown(indexed[0])}' was read",
            "Time has no index: h is a state before the step, h' after it",
            "Write the name, with a prime where the next value is meant",
        )
    if "cannot assign" in error.msg or "illegal target" in error.msg:
        left = line.text.split("=")[0]
        return EquationError(
            *line.place(1, 0),
            f"'{shown(left)}' stands left of =",
            "One name is defined by each equation",
            "Write name = expression",
        )
    rest = shown(rows[row - 1][offset:])
    return EquationError(
        *line.place(row, offset),
        f"'{rest}' cannot be read here" if rest else f"'{shown(line.text)}' ends too early",
        "A line reads name = expression, with an operator between any two values",
        "" if rest else "An equation goes on to the next line inside brackets",
    )


class _Reader:
    """Turns the nodes of one line's `ast` into `Node`s."""

    def __init__(self, line: Line):
        self.line = line
        self.rows = [row.encode() for row in line.text.split("\n")]

    def place(self, node: ast.AST) -> tuple[int, int]:
        row = getattr(node, "lineno", 1)
        prefix = self.rows[row - 1][: getattr(node, "col_offset", 0)]
        return self.line.place(row, len(prefix.decode()))

    def source(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node (`ast` counts bytes)."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        rows = self.rows[first : last + 1]
        rows[-1] = rows[-1][: node.end_col_offset]
        rows[0] = rows[0][node.col_offset :]
        return shown(b" ".join(rows).decode())

    def error(self, node: ast.AST, got: str, possible: str = "", advice: str = "") -> EquationError:
        return EquationError(*self.place(node), got, possible, advice)

    def name(self, name: str, node: ast.AST) -> str:
        plain = name.removesuffix(PRIME)
        if PRIME in plain or not plain:
            raise self.error(node, f"'{shown(name)}' is not a name", "A prime stands once, at the end: h'", "")
        if plain.startswith("_") or not re.fullmatch(r"[^\W\d]\w*", plain):
            raise self.error(node, f"'{shown(name)}' is not a name of equations", "Names start with a letter", "")
        return shown(name)

    def expression(self, root: ast.expr) -> Node:
        level: list[ast.AST] = [root]
        for _ in range(MAX_NESTING):
            level = [child for node in level for child in ast.iter_child_nodes(node)]
        if level:
            raise self.error(
                root,
                "this equation is nested too deeply",
                f"At most {MAX_NESTING} levels are read; a sum of n terms has n",
                "Name its parts on lines of their own",
            )
        return self._read(root)

    def _node(self, fn: str, node: ast.expr, args=(), value: str | float = "") -> Node:
        return Node(fn, tuple(args), value, self.place(node), self.source(node))

    def _read(self, node: ast.expr) -> Node:
        match node:
            case ast.Name(id=name):
                return self._node("name", node, value=self.name(name, node))
            case ast.Constant(value=number):
                return self._number(node, number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._read(operand)
                if inner.fn == "number":
                    return self._node("number", node, value=-float(inner.value))
                return self._node("neg", node, [inner])
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._read(operand)
            case ast.BinOp(op=op, left=left, right=right):
                return self._binary(node, op, left, right)
            case ast.Call():
                return self._call(node)
            case ast.Attribute(attr="T", value=ast.Name(id=name) as owner):
                return self._node("transposed", node, value=self.name(name, owner))
            case ast.Compare():
                raise self.error(
                    node,
                    f"the comparison '{self.source(node)}' stands on its own",
                    "A comparison is the first argument of where",
                    "Write where(a > b, this, that)",
                )
            case ast.IfExp():
                raise self.error(
                    node,
                    f"'{self.source(node)}' is not an expression of equations",
                    "",
                    "Write where(a > b, this, that)",
                )
            case ast.BoolOp() | ast.UnaryOp():
                raise self.error(
                    node,
                    f"'{self.source(node)}' combines truths",
                    "Only comparisons inside where are read",
                    "Nest where(a > b, this, that)",
                )
            case ast.Subscript():
                raise self.error(
                    node,
                    f"'{self.source(node)}' takes a part of a vector",
                    "Parts cannot be taken",
                    "Give each part its own parameter",
                )
            case ast.Attribute(attr=attr):
                raise self.error(
                    node, f"'.{attr}' was read", "Only .T, the transpose of a matrix parameter, is known", ""
                )
            case _:
                raise self._unknown(node)

    def _number(self, node: ast.expr, number) -> Node:
        if type(number) not in (int, float, complex):
            raise self._unknown(node)
        try:
            value = math.inf if isinstance(number, complex) else float(number)
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return self._node("number", node, value=value)
        raise self.error(
            node,
            f"'{self.source(node)}' is not a number of equations",
            "Numbers are finite and real",
            "",
        )

    def _unknown(self, node: ast.expr) -> EquationError:
        return self.error(
            node,
            f"'{self.source(node)}' is not an expression of equations",
            "Known are names, numbers, + - * / ** @ and functions",
            "W @ [x, h] of papers is W @ x + U @ h" if isinstance(node, ast.List | ast.Tuple) else "",
        )

    def _binary(self, node: ast.expr, op: ast.operator, left: ast.expr, right: ast.expr) -> Node:
        fn = _BINARY.get(type(op))
        if fn is None:
            raise self.error(
                node,
                f"the operator in '{self.source(node)}' is not known",
                "Known are + - * / ** @",
                _INSTEAD.get(type(op), "").capitalize(),
            )
        a, b = self._read(left), self._read(right)
        if fn == "matmul":
            return self._product(node, a, b)
        return self._node(fn, node, [a, b])

    def _product(self, node: ast.expr, a: Node, b: Node) -> Node:
        if a.fn == "matmul":  # Python groups A @ B @ x to the left; a cell means A @ (B @ x)
            return self._node("matmul", node, [a.args[0], self._product(node, a.args[1], b)])
        if a.fn not in ("name", "transposed"):
            raise a.error(
                f"'{a.text}' stands left of @",
                "Only a parameter, or its transpose W.T, multiplies from the left",
                "Write * for a product number by number",
            )
        return self._node("matmul", node, [a, b])

    def _call(self, node: ast.Call) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self.error(
                node,
                f"'{self.source(node.func)}' is called as a function",
                "A function is called by its name",
                "Write * between the factors of a product",
            )
        name = ALIASES.get(node.func.id, node.func.id)
        if name in _OUR_HELPERS and self.line.number == OUR_OWN:
            return self._node(name, node, [self._read(a) for a in node.args])
        if name not in WRITTEN:
            near = did_you_mean(name, WRITTEN)
            raise self.error(
                node,
                f"the function '{shown(node.func.id)}' is not known",
                f"Known are {', '.join(WRITTEN)}",
                near or "Write * between the factors of a product",
            )
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.error(
                node,
                f"'{self.source(node)}' passes an argument by name or by star",
                f"{name} takes plain arguments",
                "",
            )
        arity = FUNCTIONS[name].arity
        if len(node.args) != arity:
            raise self.error(node, f"{name} was given {_arguments(len(node.args))}", f"It takes {arity}", "")
        if name == "where":
            return self._node("where", node, [self._condition(node.args[0]), *(self._read(a) for a in node.args[1:])])
        return self._node(name, node, [self._read(a) for a in node.args])

    def _condition(self, node: ast.expr) -> Node:
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return self._node(_COMPARE[type(op)], node, [self._read(left), self._read(right)])
        if self.line.number == OUR_OWN:
            return self._read(node)
        raise self.error(
            node,
            f"'{self.source(node)}' is the first argument of where",
            "It is one comparison: a > b, a >= b, a < b or a <= b",
            "",
        )


def _arguments(count: int) -> str:
    return "1 argument" if count == 1 else f"{count} arguments"


def read_template(text: str) -> Node:
    """Read one expression of our own, such as a derivative of the functions table.

    It may also use what users do not write: `count(a)`, `fill(g, a)`, and a comparison's result in `where(a, b, c)`.
    """
    statement = read_statement(Line(f"value = {text}", OUR_OWN, 0))
    assert statement.expression is not None
    return statement.expression
