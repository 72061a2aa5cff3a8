"""How a cell's parameters are stored: those that multiply the same operand stand stacked in one tensor.

A step then does one product per operand. Written in torch's order (i, f, g, o and r, z, n), the stacks of LSTM and
GRU are exactly `torch.nn`'s `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ostinato.equations import sizes
from ostinato.equations.program import Builder, Input, Op, Program, Shape


@dataclass(frozen=True)
class Stack:
    """One stored tensor and the symbols whose rows it holds, top to bottom."""

    name: str
    symbols: tuple[str, ...]
    rows: tuple[str, ...]
    shape: Shape
    operand: str | None = None
    """The value the rows multiply; of a bias, the operand whose products it is added to."""

    def starts(self) -> Iterator[tuple[str, str, str]]:
        """Yield (symbol, size before it, size) for each part; "" is no size."""
        for k, symbol in enumerate(self.symbols):
            yield symbol, sizes.total(self.rows[:k]) if k else "", self.rows[k]


def stacks(program: Program) -> tuple[Stack, ...]:
    """Return the stored tensors of a program, in the order the equations first name them, weights before biases."""
    weights = _weight_groups(program)
    operand_of = {w: operand for operand, symbols in weights.items() for w in symbols}
    biases = _bias_groups(program, operand_of)
    titles = {operand: _title(program, operand) for operand in weights}
    entries: list[Stack] = []
    for operand, symbols in weights.items():
        title = titles[operand]
        if title is None:
            entries += [Stack(s, (s,), program.shape(s)[:1], program.shape(s), operand) for s in symbols]
        else:
            entries.append(_stack(program, f"weight_{title}", symbols, operand))
    for operand, symbols in biases.items():
        title = titles.get(operand or "")
        if operand and title is None:
            entries += [Stack(s, (s,), program.shape(s), program.shape(s), operand) for s in symbols]
        else:
            entries.append(_stack(program, f"bias_{title}" if operand else "bias", symbols, operand))
    stacked = {s for entry in entries for s in entry.symbols}
    entries += [Stack(p.name, (p.name,), p.shape[:1], p.shape) for p in program.parameters if p.name not in stacked]
    return tuple(
        sorted(
            entries,
            key=lambda e: (
                e.name.startswith("bias"),
                [p.name for p in program.parameters].index(e.symbols[0]),
            ),
        )
    )


def _stack(program: Program, name: str, symbols: list[str], operand: str | None) -> Stack:
    rows = tuple(program.shape(s)[0] for s in symbols)
    return Stack(name, tuple(symbols), rows, (sizes.total(rows), *program.shape(symbols[0])[1:]), operand)


def _title(program: Program, operand: str) -> str | None:
    """Return how the stack of an operand is called: `ih` for the input, `hh` for the output's state."""
    if operand == "x":
        return "ih"
    if operand == program.states[0].name:
        return "hh"
    return None if operand.startswith("%") else operand.replace("'", "_next")


def _weight_groups(program: Program) -> dict[str, list[str]]:
    """Return operand -> matrices that multiply it (each used once, from the left, untransposed)."""
    uses = program.uses
    groups: dict[str, list[str]] = defaultdict(list)
    for op in program.ops:
        if op.fn == "matmul" and uses[str(op.args[0])] == 1:
            groups[str(op.args[1])].append(str(op.args[0]))
    return dict(groups)


def _bias_groups(program: Program, operand_of: dict[str, str]) -> dict[str | None, list[str]]:
    """Return operand -> vectors added to its products; None where a sum has fewer biases than products."""
    groups: dict[str | None, list[str]] = defaultdict(list)
    for terms in _sums(program):
        products = [operand_of.get(str(op.args[0])) for op in terms if isinstance(op, Op) and op.fn == "matmul"]
        biases = [i.name for i in terms if isinstance(i, Input)]
        paired = len(products) == len(biases) and None not in products
        for k, name in enumerate(biases):
            groups[products[k] if paired else None].append(name)
    return dict(groups)


def _sums(program: Program) -> Iterator[list[Op | Input]]:
    """Yield, for each chain of additions, its products and its bare vector parameters, in order.

    Only vectors used once belong to a sum; a sum without a product has no bias.
    """
    uses, names = program.uses, program.by_name
    inner = {a for op in program.ops if op.fn == "add" for a in op.args if isinstance(a, str) and uses[a] == 1}

    def terms(value: str | float) -> Iterator[Op | Input]:
        entry = names[value] if isinstance(value, str) else None
        if isinstance(entry, Op) and entry.fn == "add" and (uses[entry.out] == 1 or entry is root):
            for arg in entry.args:
                yield from terms(arg)
        elif (isinstance(entry, Op) and entry.fn == "matmul") or (
            isinstance(entry, Input) and entry.role == "parameter" and len(entry.shape) == 1 and uses[entry.name] == 1
        ):
            yield entry

    for root in program.ops:
        if root.fn == "add" and root.out not in inner:
            found = list(terms(root.out))
            if any(isinstance(t, Op) for t in found):
                yield found


def fuse(program: Program) -> Program:
    """Return the program over stored tensors: one product per operand, its bias inside, its parts sliced out.

    Agrees with `program` up to the order of additions.
    """
    entries = stacks(program)
    parameters = tuple(Input(e.name, "parameter", e.shape) for e in entries)
    builder = Builder(tuple(i for i in program.inputs if i.role != "parameter") + parameters)
    weight_of = {s: e for e in entries if len(e.shape) == 2 for s in e.symbols}
    bias_of = {s: e for e in entries if len(e.shape) == 1 for s in e.symbols}
    weight_at = {e.operand: e for e in entries if len(e.shape) == 2 and e.operand and len(e.symbols) > 0}
    folded = {
        e.name: weight_at[e.operand]
        for e in bias_of.values()
        if e.operand in weight_at and e.rows == weight_at[e.operand].rows
    }
    values: dict[str, str | float] = {i.name: i.name for i in program.inputs if i.role != "parameter"}

    def part(entry: Stack, symbol: str, whole: str) -> str:
        if len(entry.symbols) == 1:
            return whole
        _, start, size = next(p for p in entry.starts() if p[0] == symbol)
        return str(builder.emit("slice", (whole,), start=start, shape=(size, *builder.shape(whole)[1:])))

    def read(arg: str | float) -> str | float:
        if arg in values or not isinstance(arg, str):
            return values[arg] if isinstance(arg, str) else arg
        entry = weight_of.get(arg) or bias_of.get(arg)
        return part(entry, arg, entry.name) if entry else arg

    for op in program.ops:
        inside = (
            op.fn == "add"
            and isinstance(op.args[1], str)
            and op.args[1] in bias_of
            and bias_of[op.args[1]].name in folded
        )
        if op.fn == "matmul" and op.args[0] in weight_of:
            values[op.out] = _product(program, builder, weight_of[str(op.args[0])], op, read, folded, part)
        elif inside:
            values[op.out] = read(op.args[0])
        else:
            keep = None if op.out.startswith("%") else op.out
            values[op.out] = builder.emit(op.fn, tuple(read(a) for a in op.args), keep)
    return builder.program(tuple((label, str(values[value])) for label, value in program.outputs))


def _product(program: Program, builder: Builder, entry: Stack, op: Op, read, folded, part) -> str:
    bias = next((name for name, weight in folded.items() if weight is entry), None)
    args = (entry.name, read(op.args[1]))
    whole = builder.emit("affine", (*args, bias)) if bias else builder.emit("matmul", args)
    return part(entry, str(op.args[0]), str(whole))


def without_bias(program: Program) -> Program:
    """Return the program without the vectors that are only added to products."""
    dropped = {s for e in stacks(program) if len(e.shape) == 1 and e.name.startswith("bias") for s in e.symbols}
    dropped |= {s for e in stacks(program) if len(e.shape) == 1 and e.operand for s in e.symbols}
    builder = Builder(tuple(i for i in program.inputs if i.name not in dropped))
    values: dict[str, str | float] = {i.name: i.name for i in builder.inputs}
    for op in program.ops:
        kept = [a for a in op.args if a not in dropped]
        if len(kept) < len(op.args):
            values[op.out] = values[str(kept[0])]
        else:
            args = tuple(values[a] if isinstance(a, str) else a for a in op.args)
            values[op.out] = builder.emit(op.fn, args, None if op.out.startswith("%") else op.out)
    return builder.program(tuple((label, str(values[value])) for label, value in program.outputs))
