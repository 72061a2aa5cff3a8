"""Row functions written out: as reductions, and operations that take each number by itself."""

from __future__ import annotations

from functools import cache

from ostinato.equations.expressions import Node, read_template
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.lower import lower
from ostinato.equations.program import Builder, Program


def expand(program: Program) -> tuple[Program, dict[str, str]]:
    """Return the program without softmax, norms, means and counts, and what each of its values is called there.

    Sizes must be numbers. Values that are equal are computed once.
    """
    builder = _Expanding(program.inputs)
    names: dict[str | float, str | float] = {i.name: i.name for i in program.inputs}
    for op in program.ops:
        name = None if op.out.startswith("%") else op.out
        names[op.out] = builder.emit(op.fn, tuple(names.get(a, a) for a in op.args), name)
    outputs = tuple((label, str(names[value])) for label, value in program.outputs)
    return builder.program(outputs), {str(k): str(v) for k, v in names.items()}


class _Expanding(Builder):
    """Writes an operation that has an expansion as that expansion."""

    def emit(self, fn, args, name=None, start=None, shape=()):
        if fn == "count":
            return float(self.shape(args[0])[0])
        expansion = FUNCTIONS[fn].expansion if fn in FUNCTIONS else ""
        if expansion:
            return lower(_template(expansion), {"a": args[0]}, self, name)
        return super().emit(fn, args, name, start, shape)


@cache
def _template(text: str) -> Node:
    return read_template(text)
