"""When two programs are the same equations, whatever their names and the order in which their lines and terms stand.

Sums and products are compared as sets; a parameter is known by what it does. Gates therefore find their counterparts
in another text: the forget gate is the one that meets the cell's state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ostinato.equations.program import GIVEN, Input, Op, Program

_COMMUTE = {"add", "mul", "maximum", "minimum"}


@dataclass(frozen=True)
class NormalForm:
    """`key` is equal for equal equations; `parameters` then stand in the same order in both."""

    key: tuple
    parameters: tuple[str, ...]


@cache
def normal_form(program: Program) -> NormalForm:
    """Return the normal form of a step."""
    prints = _fingerprints(program)
    order: dict[str, int] = {}
    values: dict[str, int] = {}
    visits: list[tuple[str, int]] = []

    waiting: list[str | float] = [value for _, value in reversed(program.outputs)]
    while waiting:
        value = waiting.pop()
        entry = program.by_name.get(value) if isinstance(value, str) else None
        if isinstance(entry, Input) and entry.role == "parameter":
            visits.append(("parameter", order.setdefault(entry.name, len(order))))
        elif isinstance(entry, Op):
            if entry.out not in values:
                waiting.extend(sorted(_terms(program, entry), key=prints.__getitem__)[::-1])
            visits.append(("value", values.setdefault(entry.out, len(values))))
    shapes = tuple(program.shape(name) for name in order)
    states = tuple(s.shape for s in program.states)
    key = (tuple(prints[value] for _, value in program.outputs), states, tuple(visits), shapes)
    return NormalForm(key, tuple(order))


def _fingerprints(program: Program) -> dict[str | float, str]:
    """Return for each value, and each number, a digest of what is computed, parameters and constants unnamed."""
    prints: dict[str | float, str] = {}
    for role in (*GIVEN, "state"):
        for k, entry in enumerate(program.role(role)):
            prints[entry.name] = _digest(role, k)
    for entry in program.parameters:
        prints[entry.name] = _digest("parameter", len(entry.shape))
    for entry in program.role("constant"):
        prints[entry.name] = _digest("constant", entry.name)
    for op in program.ops:
        prints.update({a: _digest("number", a) for a in op.args if not isinstance(a, str)})
        terms = [prints[a] for a in _terms(program, op)]
        prints[op.out] = _digest(op.fn, *(sorted(terms) if op.fn in _COMMUTE else terms))
    return prints


def _terms(program: Program, op: Op) -> list[str | float]:
    """Return the arguments of an operation; of a sum or a product, all terms however they are bracketed.

    A value that is read twice stays whole: values that double line by line have more terms than can be written.
    """
    return list(_flat(program, op)) if op.fn in _COMMUTE else list(op.args)


def _flat(program: Program, op: Op) -> Iterator[str | float]:
    waiting = list(reversed(op.args))
    while waiting:
        arg = waiting.pop()
        inner = program.by_name[arg] if isinstance(arg, str) else None
        if isinstance(inner, Op) and inner.fn == op.fn and program.uses[inner.out] == 1:
            waiting.extend(reversed(inner.args))
        else:
            yield arg


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
