"""What a program's form says about its gates: which keep a state, which let something new into it, and their biases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ostinato.equations.program import Op, Program


@dataclass(frozen=True)
class TimeGate:
    """A sigmoid that decides how long a state is kept."""

    biases: tuple[str, ...]
    """Vectors that are added inside the sigmoid."""
    keeps: bool
    """Whether the state is kept where the gate is open; of others, where it is closed."""


def time_gates(program: Program) -> list[list[TimeGate]]:
    """Return, for each state s whose next value is a sum with `gate * s` or `(1 - gate) * s` in it, its gates.

    The first is that gate. Those after it multiply the other terms of the sum: what they let in is new.
    """
    return [gates for state in program.states if (gates := _of_state(program, state.name))]


def _of_state(program: Program, state: str) -> list[TimeGate]:
    terms = [list(_flat(program, term, {"mul"})) for term in _flat(program, program.output(f"{state}'"), {"add"})]
    kept = [factors for factors in terms if state in factors]
    if len(kept) != 1:
        return []
    found: dict[str, TimeGate] = {}
    for factor in kept[0]:
        gate = _gate(program, factor)
        closed = _gate(program, _complement(program, factor))
        if gate or closed:
            name = str(gate or closed)
            found[name] = TimeGate(_biases(program, name), keeps=gate is not None)
    if len(found) != 1:
        return []
    for factor in [f for factors in terms if factors is not kept[0] for f in factors]:
        name = _gate(program, factor)
        if name is not None and name not in found:
            found[name] = TimeGate(_biases(program, name), keeps=False)
    return list(found.values())


def _gate(program: Program, value: str | float | None) -> str | None:
    """Return a value where it is a sigmoid."""
    op = program.by_name.get(value) if isinstance(value, str) else None
    return op.out if isinstance(op, Op) and op.fn == "sigmoid" else None


def _complement(program: Program, value: str | float) -> str | float | None:
    """Return v where a value is 1 - v."""
    op = program.by_name.get(value) if isinstance(value, str) else None
    return op.args[1] if isinstance(op, Op) and op.fn == "sub" and op.args[0] == 1 else None


def _biases(program: Program, gate: str) -> tuple[str, ...]:
    vectors = {p.name for p in program.parameters if len(p.shape) == 1}
    op = program.by_name[gate]
    assert isinstance(op, Op)
    return tuple(str(term) for term in _flat(program, op.args[0], {"add"}) if term in vectors)


def _flat(program: Program, value: str | float, fns: set[str]) -> Iterator[str | float]:
    """Yield the terms of a sum, or the factors of a product, however they are bracketed."""
    op = program.by_name.get(value) if isinstance(value, str) else None
    if isinstance(op, Op) and op.fn in fns:
        for arg in op.args:
            yield from _flat(program, arg, fns)
    else:
        yield value


def entered(program: Program, matrix: str) -> set[str]:
    """Return the functions that the products with a matrix enter by way of sums alone; "" is a next state itself."""
    outputs = {value for label, value in program.outputs if label != "y"}
    reached = {op.out for op in program.ops if op.fn in ("matmul", "matmul_t") and op.args[0] == matrix}
    found = set()
    for op in program.ops:
        if not reached.isdisjoint(op.args):
            if op.fn in ("add", "sub", "neg"):
                reached.add(op.out)
            else:
                found.add(op.fn)
    return found | ({""} if reached & outputs else set())
