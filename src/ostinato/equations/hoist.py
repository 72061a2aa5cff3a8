"""Split a step into what needs no state, done for all steps at once, and what must stay in the loop."""

from __future__ import annotations

from ostinato.equations.program import Input, Program, check, live


def hoist(program: Program) -> tuple[Program, Program]:
    """Return (before, loop): `before` maps x and dt of every step to the values `loop` takes besides the state.

    The outputs of `before` are labelled with the names `loop` reads them by. What depends on parameters alone is in
    both, wherever it is read.
    """
    stateful = _reached(program, ("state",))
    varying = _reached(program, ("input", "time")) - stateful
    late = tuple(op for op in program.ops if op.out not in varying)
    read = {a for op in late for a in op.args} | {value for _, value in program.outputs}
    crossing = [name for name in program.by_name if name in varying and name in read]
    early = tuple(op for op in program.ops if op.out not in stateful)
    before = live(Program(program.inputs, early, tuple((name, name) for name in crossing)))
    taken = tuple(Input(name, "input", program.shape(name)) for name in crossing)
    kept = tuple(i for i in program.inputs if i.role not in ("input", "time"))
    return check(before), check(live(Program(taken + kept, late, program.outputs)))


def _reached(program: Program, roles: tuple[str, ...]) -> set[str]:
    """Return the values that inputs of these roles have a part in."""
    found = {i.name for i in program.inputs if i.role in roles}
    for op in program.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found
