"""A program written again with something changed: what wrappers of cells do to the equations they stand around.

    with the old program in hand, line by line: copy(op), or write("m * a + (1 - m) * b", …) in its place

Names stay, so that parameters are still found by their symbols. Sizes are numbers: a mask is as long as what it meets,
however the equations call that length.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ostinato.equations import sizes
from ostinato.equations.expressions import read_template
from ostinato.equations.lower import lower
from ostinato.equations.program import PRODUCTS, Builder, Input, Op, Program
from ostinato.equations.storage import Stack


class Rewriting(Builder):
    """The new program. `values` says what stands for each value of the old one from here on."""

    def __init__(self, program: Program):
        super().__init__(program.inputs)
        self.old = program
        self.values: dict[str | float, str | float] = {i.name: i.name for i in program.inputs}
        self._titles: dict[str, str] = {}

    def free(self, name: str) -> str:
        """Return a name that no value has yet."""
        while name in self.shapes or (name in self.old.by_name and name not in self._titles):
            name = f"{name[:-1]}_'" if name.endswith("'") else f"{name}_"
        return name

    def take(self, name: str, role: str, shape: tuple[str, ...] = (), default: float | None = None) -> str:
        """Add an input; return its name."""
        entry = Input(self.free(name), role, shape, default)
        self.inputs += (entry,)
        self.shapes[entry.name] = shape
        return entry.name

    def rename(self, old: str, name: str) -> None:
        """Call the copy of an old value otherwise, so that something new may have its name."""
        if old in self.old.by_name:
            self._titles[old] = self.free(name)

    def new(self, value: str | float) -> str | float:
        """Return what stands for an old value, or a number."""
        return self.values.get(value, value)

    def copy(self, *ops: Op) -> None:
        """Write old operations, over what stands for their arguments."""
        for op in ops:
            name = None if op.out.startswith("%") else self._titles.get(op.out, op.out)
            self.values[op.out] = self.emit(op.fn, tuple(map(self.new, op.args)), name)

    def write(self, text: str, name: str | None = None, **values: str | float) -> str:
        """Write an expression over new values; return its value, called `name` where that is free."""
        return str(lower(read_template(text), values, self, name if name is None else self.free(name)))

    def finish(self, outputs: Mapping[str, str | float] | None = None) -> Program:
        """Return the new program, its outputs those of the old one except for `outputs`, by label."""
        found = {label: self.new(value) for label, value in self.old.outputs} | dict(outputs or {})
        return self.program(tuple((label, str(value)) for label, value in found.items()))


def with_numbers(program: Program, entries: tuple[Stack, ...], numbers: Mapping[str, int]):
    """Return a program and its stored tensors with a number for each size."""

    def shape(of: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(sizes.value(size, numbers)) for size in of)

    inputs = tuple(replace(i, shape=shape(i.shape)) for i in program.inputs)
    ops = tuple(replace(op, shape=shape(op.shape)) for op in program.ops)
    stored = tuple(replace(e, rows=shape(e.rows), shape=shape(e.shape)) for e in entries)
    return Program(inputs, ops, program.outputs), stored


def needed_for_states(program: Program) -> set[str]:
    """Return the values that a next state is made of; the others are only there for the output."""
    needed = {value for label, value in program.outputs if label != "y"}
    for op in reversed(program.ops):
        if op.out in needed:
            needed.update(a for a in op.args if isinstance(a, str))
    return needed


def reached(program: Program, names: Collection[str]) -> set[str]:
    """Return the values that some of these have a part in, and they themselves."""
    found = set(names)
    for op in program.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found


def products(program: Program, matrices: Collection[str]) -> list[Op]:
    """Return the products with some of these matrices."""
    return [op for op in program.ops if op.fn in PRODUCTS and op.args[0] in matrices]


def operand_kinds(program: Program) -> dict[str, str]:
    """Return, for each matrix, whether a product of it reads a state ("recurrent") or only x ("input").

    What is read for the output alone, or is a next state or the output as it stands, is of neither kind ("output").
    """
    stateful, for_states = reached(program, [s.name for s in program.states]), needed_for_states(program)
    bare = {value for _, value in program.outputs}
    found: dict[str, str] = {}
    for op in program.ops:
        if op.fn in PRODUCTS:
            kind = "recurrent" if op.args[1] in stateful else "input"
            is_output = op.out not in for_states or op.out in bare
            kinds = found.get(str(op.args[0]), "output"), "output" if is_output else kind
            found[str(op.args[0])] = next(k for k in ("recurrent", "input", "output") if k in kinds)
    return found
