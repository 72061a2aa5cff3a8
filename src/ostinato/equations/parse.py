"""The text of a cell to its `Program`.

lines -> statements -> what each name is -> how large each value is -> operations -> check
"""

from __future__ import annotations

from collections.abc import Mapping

from ostinato._errors import EquationError
from ostinato.equations.expressions import read_statement
from ostinato.equations.lines import logical_lines
from ostinato.equations.lower import lower
from ostinato.equations.measures import Measures
from ostinato.equations.names import Names
from ostinato.equations.program import Builder, Input, Program

MAX_EQUATIONS = 200


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
    names = Names(statements, sizes or {})
    return _emit(names, Measures(names))


def _emit(names: Names, sizes: Measures) -> Program:
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
    _check_clipped(names, builder)
    outputs = [("y", values["y" if "y" in names.defined else f"{states[0]}'"])]
    outputs += [(f"{s}'", values[f"{s}'"]) for s in states]
    _check_outputs(names, builder, outputs)
    return builder.program(tuple((label, str(value)) for label, value in outputs))


def _check_clipped(names: Names, builder: Builder) -> None:
    """Refuse to clip the gradient of what is the same for all rows: it is the sum of theirs."""
    varying, learned = _reached(builder, "input", "time", "state"), _reached(builder, "parameter")
    for op in builder.ops:
        if op.fn == "clip_gradient" and op.args[0] in learned - varying:
            clipped = [n for s in names.equations if s.expression for n in s.expression.walk() if n.fn == op.fn]
            node = next((n for n in clipped if n.args[0].text == op.args[0]), clipped[0])
            raise node.error(
                f"'{node.args[0].text}' is the same at every step",
                "clip_gradient takes what goes from step to step, or comes in",
                "Clip where it meets x or a state",
            )


def _reached(builder: Builder, *roles: str) -> set[str | float]:
    """Return the values that inputs of these roles have a part in."""
    found: set[str | float] = {i.name for i in builder.inputs if i.role in roles}
    for op in builder.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found


def _check_outputs(names: Names, builder: Builder, outputs: list[tuple[str, str | float]]) -> None:
    varying = _reached(builder, "input", "time", "state")
    for label, value in outputs if "y" in names.defined else outputs[1:]:
        place = names.defined[label].place
        if not builder.shape(value):
            raise EquationError(*place, "the output y is one number", "The output of a cell is a vector", "")
        if value not in varying:
            raise EquationError(
                *place, f"'{label}' is the same at every step", "Neither x nor a state is on its right", ""
            )


def _output_first(names: Names) -> list[str]:
    """Return the states in the order of their definitions, the one that `y` shows before the others."""
    line = names.defined.get("y")
    shown = str(line.expression.value) if line and line.expression and line.expression.fn == "name" else ""
    return sorted(names.states, key=lambda s: f"{s}'" != shown)
