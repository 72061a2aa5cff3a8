"""Split a step into what needs no state, done for all steps at once, and what must stay in the loop."""

from __future__ import annotations

from ostinato.equations.program import Input, Program, check, live


def hoist(program: Program) -> tuple[Program, Program]:
    """Return (before, loop): `before` maps x and dt of every step to the values `loop` takes besides the state.

    The outputs of `before` are labelled with the names `loop` reads them by.
    """
    stateful = {i.name for i in program.states}
    for op in program.ops:
        if any(a in stateful for a in op.args):
            stateful.add(op.out)
    early = tuple(op for op in program.ops if op.out not in stateful and _varies(program, op.out))
    late = tuple(op for op in program.ops if op not in early)
    read = {a for op in late for a in op.args} | {value for _, value in program.outputs}
    given = tuple(i for i in program.inputs if i.role in ("input", "time") and i.name in read)
    crossing = [*(i.name for i in given), *(op.out for op in early if op.out in read)]
    outputs = tuple((name, name) for name in crossing)
    before = live(Program(program.inputs, early, outputs))
    taken = tuple(Input(name, "input", program.shape(name)) for name in crossing)
    kept = tuple(i for i in program.inputs if i.role not in ("input", "time"))
    return check(before), check(live(Program(taken + kept, late, program.outputs)))


def _varies(program: Program, name: str) -> bool:
    """Whether a value depends on x or dt (what depends on parameters alone stays where it is)."""
    entry = program.by_name[name]
    if isinstance(entry, Input):
        return entry.role in ("input", "time")
    return any(_varies(program, a) for a in entry.args if isinstance(a, str))
