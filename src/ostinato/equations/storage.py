"""How a cell's parameters are stored: those that multiply the same operand stand stacked in one tensor.

A step then does one product per operand. Written in torch's order (i, f, g, o and r, z, n), the stacks of LSTM and
GRU are exactly `torch.nn`'s `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache

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
    is_bias: bool = False
    """Whether its symbols are only ever added to products."""

    def starts(self) -> Iterator[tuple[str, str, str]]:
        """Yield (symbol, size before it, size) for each part; "" is no size."""
        for k, symbol in enumerate(self.symbols):
            yield symbol, sizes.total(self.rows[:k]) if k else "", self.rows[k]


@cache
def stacks(program: Program) -> tuple[Stack, ...]:
    """Return the stored tensors of a program, in the order the equations first name them, weights before biases."""
    weights = _weight_groups(program)
    partners, alone = _biases(program, {w for symbols in weights.values() for w in symbols})
    names = _Names(program)
    entries: list[Stack] = []
    for operand, symbols in weights.items():
        paired = [partners[w] for w in symbols if w in partners]
        title = _title(program, operand)
        for group, prefix in ((symbols, "weight"), (paired, "bias")):
            parts = [group] if title else [[s] for s in group]
            entries += [
                _stack(program, names.of(f"{prefix}_{title}" if title else part[0], part), part, operand, prefix)
                for part in parts
                if part
            ]
    if alone:
        entries.append(_stack(program, names.of("bias", alone), alone, None, "bias"))
    stacked = {s for entry in entries for s in entry.symbols}
    entries += [Stack(p.name, (p.name,), p.shape[:1], p.shape) for p in program.parameters if p.name not in stacked]
    position = {p.name: k for k, p in enumerate(program.parameters)}
    return tuple(sorted(entries, key=lambda e: (e.is_bias, position[e.symbols[0]])))


class _Names:
    """Hands out names of stored tensors that no value of the program and no other tensor has."""

    def __init__(self, program: Program):
        self.taken = set(program.by_name)

    def of(self, name: str, symbols: list[str]) -> str:
        while name in self.taken and symbols != [name]:
            name += "_"
        self.taken.add(name)
        return name


def _stack(program: Program, name: str, symbols: list[str], operand: str | None, prefix: str) -> Stack:
    rows = tuple(program.shape(s)[0] for s in symbols)
    shape = (sizes.total(rows), *program.shape(symbols[0])[1:])
    return Stack(name, tuple(symbols), rows, shape, operand, is_bias=prefix == "bias")


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


def _biases(program: Program, weights: set[str]) -> tuple[dict[str, str], list[str]]:
    """Return matrix -> the vector added to its product, and the vectors of sums where they do not pair off."""
    partners: dict[str, str] = {}
    alone: list[str] = []
    for terms in _sums(program):
        products = [op for op in terms if isinstance(op, Op)]
        biases = [i.name for i in terms if isinstance(i, Input)]
        matrices = [str(op.args[0]) for op in products if program.uses[op.out] == 1 and op.args[0] in weights]
        if len(matrices) == len(products) == len(biases):
            partners |= dict(zip(matrices, biases, strict=True))
        else:
            alone += biases
    return partners, alone


def _sums(program: Program) -> Iterator[list[Op | Input]]:
    """Yield, for each chain of additions, its products and its bare vector parameters, in order.

    Only vectors used once belong to a sum; a sum without a product has no bias.
    """
    uses, names = program.uses, program.by_name
    inner = {a for op in program.ops if op.fn == "add" for a in op.args if isinstance(a, str) and uses[a] == 1}
    for root in program.ops:
        if root.fn != "add" or root.out in inner:
            continue
        terms: list[Op | Input] = []
        waiting = list(reversed(root.args))
        while waiting:
            value = waiting.pop()
            entry = names[value] if isinstance(value, str) else None
            if isinstance(entry, Op) and entry.fn == "add" and uses[entry.out] == 1:
                waiting += reversed(entry.args)
            elif (isinstance(entry, Op) and entry.fn in ("matmul", "matmul_t")) or (
                isinstance(entry, Input) and _is_bare_vector(entry) and uses[entry.name] == 1
            ):
                terms.append(entry)
        if any(isinstance(t, Op) for t in terms):
            yield terms


def _is_bare_vector(entry: Input) -> bool:
    return entry.role == "parameter" and len(entry.shape) == 1


def fuse(program: Program, entries: tuple[Stack, ...] | None = None) -> Program:
    """Return the program over stored tensors: one product per operand, its bias inside, its parts sliced out.

    Agrees with `program` up to the order of additions. `entries` are the stored tensors where they are not `stacks`.
    """
    entries = stacks(program) if entries is None else entries
    parameters = tuple(Input(e.name, "parameter", e.shape) for e in entries)
    builder = Builder(tuple(i for i in program.inputs if i.role != "parameter") + parameters)
    holder = {s: e for e in entries for s in e.symbols}
    inside = _biases_inside(program, entries)
    values: dict[str, str | float | None] = {i.name: i.name for i in program.inputs if i.role != "parameter"}
    values |= {s: None for e in inside.values() for s in e.symbols}

    def part(symbol: str, whole: str) -> str:
        entry = holder[symbol]
        if len(entry.symbols) == 1:
            return whole
        _, start, size = next(p for p in entry.starts() if p[0] == symbol)
        return str(builder.emit("slice", (whole,), start=start, shape=(size, *builder.shape(whole)[1:])))

    def read(arg: str | float) -> str | float | None:
        if not isinstance(arg, str) or arg in values:
            return values[arg] if isinstance(arg, str) else arg
        return part(arg, holder[arg].name)

    for op in program.ops:
        if op.fn == "matmul" and holder[str(op.args[0])].operand is not None:
            entry = holder[str(op.args[0])]
            bias = (inside[entry.name].name,) if entry.name in inside else ()
            whole = builder.emit("affine" if bias else "matmul", (entry.name, str(read(op.args[1])), *bias))
            values[op.out] = part(str(op.args[0]), str(whole))
        else:
            values[op.out] = _again(builder, op, [read(a) for a in op.args])
    return builder.program(tuple((label, str(values[value])) for label, value in program.outputs))


def _biases_inside(program: Program, entries: tuple[Stack, ...]) -> dict[str, Stack]:
    """Return weight stack -> the bias stack its product adds, where each of its matrices has one."""
    partners = _biases(program, {s for e in entries if len(e.shape) == 2 and e.operand for s in e.symbols})[0]
    biases = {e.symbols: e for e in entries if e.is_bias and e.operand}
    found = {e.name: biases.get(tuple(partners.get(s, "") for s in e.symbols)) for e in entries if not e.is_bias}
    return {name: bias for name, bias in found.items() if bias is not None}


def _again(builder: Builder, op: Op, args: list[str | float | None]) -> str | float | None:
    """Emit `op` over other arguments; None is what an addition leaves out."""
    if op.fn == "add" and None in args:
        return args[1] if args[0] is None else args[0]
    return builder.emit(op.fn, tuple(a for a in args if a is not None), None if op.out.startswith("%") else op.out)


def without_bias(program: Program) -> Program:
    """Return the program without the vectors that are only added to products."""
    return without(program, {s for e in stacks(program) if e.is_bias for s in e.symbols})


def without(program: Program, dropped: Set[str]) -> Program:
    """Return the program without the biases `dropped`, as if they were zero."""
    builder = Builder(tuple(i for i in program.inputs if i.name not in dropped))
    values: dict[str, str | float | None] = {i.name: i.name for i in builder.inputs} | dict.fromkeys(dropped)
    for op in program.ops:
        values[op.out] = _again(builder, op, [values[a] if isinstance(a, str) else a for a in op.args])
    return builder.program(tuple((label, str(values[value])) for label, value in program.outputs))
