"""How much of a state is left in the next one, unit by unit: found from the form of the equations.

c' = f * c + i * g             f of c is left
h' = (1 - z) * n + z * h       z of h
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ostinato.equations.program import PRODUCTS, Op, Program

Value = str | float
"""The name of a value, or a number."""
Path = tuple[Value, ...]
"""The factors that a state goes through on its way into the next one."""


class _Bent(Exception):
    """A state is multiplied with itself or by a matrix, or divides: no share of it is left as it is."""


@dataclass(frozen=True)
class Keeping:
    """What is left of one state: s' = (sum over `paths` of the product of their factors) * s + what is new."""

    state: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    """The values with a name that decide it, as f, or z where a factor is 1 - z."""


def keepings(program: Program) -> list[Keeping]:
    """Return how each state is kept that goes into its next one as a sum of products, where a named value decides.

    States that go into each other unit by unit, as those that turn in a plane, have no share of their own.
    """
    return [keeping for state in program.states if (keeping := _keeping(program, state.name)) is not None]


def _keeping(program: Program, state: str) -> Keeping | None:
    after = program.output(f"{state}'")
    try:
        paths = _paths(program, after, state)
        others = [s.name for s in program.states if s.name != state and _paths(program, after, s.name)]
    except _Bent:
        return None
    names = tuple(dict.fromkeys(name for path in paths for factor in path for name in _named(program, factor)))
    return Keeping(state, tuple(paths), names) if names and not others else None


def _paths(program: Program, value: Value, state: str) -> list[Path]:
    """Return the ways of a state into a value by sums and products alone."""
    if value == state:
        return [()]
    op = program.by_name.get(value) if isinstance(value, str) else None
    if isinstance(op, Op) and op.fn in PRODUCTS and _paths(program, op.args[1], state):
        raise _Bent
    if not isinstance(op, Op) or op.fn not in ("add", "sub", "neg", "mul", "div", "copy", "clip_gradient"):
        return []
    first, *rest = (_paths(program, arg, state) for arg in op.args)
    second = rest[0] if rest else []
    match op.fn:
        case "add":
            return first + second
        case "sub":
            return first + [(*path, -1.0) for path in second]
        case "neg":
            return [(*path, -1.0) for path in first]
        case "copy" | "clip_gradient":
            return first
    if (first and second) or (op.fn == "div" and (first or second)):
        raise _Bent
    return [(*path, op.args[1]) for path in first] + [(op.args[0], *path) for path in second]


def _named(program: Program, value: Value) -> Iterator[str]:
    """Yield the named values that a factor is made of, unit by unit."""
    entry = program.by_name.get(value) if isinstance(value, str) else None
    if isinstance(entry, Op) and entry.out.startswith("%"):
        for arg in () if entry.fn in PRODUCTS else entry.args:
            yield from _named(program, arg)
    elif entry is not None:
        yield entry.out if isinstance(entry, Op) else entry.name
