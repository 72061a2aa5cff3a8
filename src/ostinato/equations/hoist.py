"""Split a step by what each value depends on: what can be done once, for all steps at once, or only in the loop."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import GIVEN, PRODUCTS, Input, Op, Program, check, live


@dataclass(frozen=True)
class Parts:
    """A step in four programs, run in this order. Values that pass between them are labelled with their own names."""

    once: Program
    """From parameters and constants alone."""
    before: Program
    """From x and dt as well: for all steps at once."""
    loop: Program
    """The new states, and what `after` reads besides them; one step after the other."""
    after: Program
    """The output, where a product makes it that no later step waits for: for all steps at once."""


def hoist(program: Program) -> tuple[Program, Program]:
    """Return (before, loop): `before` maps x and dt of every step to the values `loop` takes besides the state.

    The outputs of `before` are labelled with the names `loop` reads them by. What depends on parameters alone is in
    both, wherever it is read.
    """
    stateful = _reached(program, ("state",))
    varying = _reached(program, GIVEN) - stateful
    late = tuple(op for op in program.ops if op.out not in varying)
    read = {a for op in late for a in op.args} | {value for _, value in program.outputs}
    crossing = [name for name in program.by_name if name in varying and name in read]
    early = tuple(op for op in program.ops if op.out not in stateful)
    before = live(Program(program.inputs, early, tuple((name, name) for name in crossing)))
    taken = tuple(Input(name, "input", program.shape(name)) for name in crossing)
    kept = tuple(i for i in program.inputs if i.role not in GIVEN)
    return check(before), check(live(Program(taken + kept, late, program.outputs)))


def split(program: Program, *, hoisted: bool = True, deferred: bool = True) -> Parts:
    """Return a step in its four parts; x goes into the loop as it is unless `hoisted`, y comes out of it unless
    `deferred`.

    Products and functions of a whole row are what leaves the loop. What takes each number by itself stays, and a slice
    of a whole is taken there: one tensor crosses, and one gradient comes back.
    """
    stateful = _reached(program, ("state",))
    varying = _reached(program, GIVEN) - stateful
    fixed = {op.out for op in program.ops} - stateful - varying
    late = _after(program, stateful) if deferred else set()
    place: dict[str, str] = {}
    for op in program.ops:
        place[op.out] = (
            "after" if op.out in late else "loop" if op.out in stateful else "once" if op.out in fixed else "before"
        )
    if not hoisted:
        place.update({value: "loop" for value, where in place.items() if where == "before"})
    _stay(program, place)
    state_outputs = tuple((label, value) for label, value in program.outputs if label != "y")
    y = program.output("y")
    y_after = place.get(y, "before") != "loop" and y not in {s.name for s in program.states}
    wanted = [] if y_after else [("y", y)]
    after = _part(program, place, "after", (("y", y),) if y_after else ())
    carried = {value for _, value in state_outputs}
    made_in_loop = [i.name for i in after.inputs if place.get(i.name) == "loop" and i.name not in carried]
    wanted += [(name, name) for name in made_in_loop]
    loop = _part(program, place, "loop", (*wanted, *state_outputs))
    readers = (loop, after)
    before = _part(program, place, "before", _crossing(program, place, "before", readers))
    once = _part(program, place, "once", _crossing(program, place, "once", (before, *readers)))
    return Parts(once, before, loop, after)


def _after(program: Program, stateful: set[str]) -> set[str]:
    """Return what only the output waits for, from its first product on."""
    needed = {value for label, value in program.outputs if label != "y"}
    for op in reversed(program.ops):
        if op.out in needed:
            needed.update(a for a in op.args if isinstance(a, str))
    states = {s.name for s in program.states}
    found: set[str] = set()
    for op in program.ops:
        is_late = op.out in stateful and op.out not in needed
        if is_late and states.isdisjoint(op.args) and (op.fn in PRODUCTS or not found.isdisjoint(op.args)):
            found.add(op.out)
        elif is_late and not found.isdisjoint(op.args):
            return set()  # it reads the state before the step as well, which only the loop has
    return found


def _stay(program: Program, place: dict[str, str]) -> None:
    """Move back into the loop what only the loop reads and costs it next to nothing: see `split`."""
    readers: dict[str, set[str]] = {}
    for op in program.ops:
        for a in op.args:
            if isinstance(a, str):
                readers.setdefault(a, set()).add(op.out)
    outputs = {value for _, value in program.outputs}
    for op in reversed(program.ops):
        can_stay = place[op.out] == "before" and _is_elementwise(op)
        can_stay |= op.fn == "slice" and place[op.out] in ("before", "once")
        if can_stay and op.out not in outputs and {place[r] for r in readers.get(op.out, ())} == {"loop"}:
            place[op.out] = "loop"


def _is_elementwise(op: Op) -> bool:
    """Return whether an operation takes each number of a vector by itself."""
    return bool(op.shape) and op.fn in FUNCTIONS and FUNCTIONS[op.fn].kind in ("elementwise", "comparison")


def _part(program: Program, place: dict[str, str], name: str, outputs: tuple[tuple[str, str], ...]) -> Program:
    """Return the operations of one part as a program; what earlier parts make becomes its inputs."""
    ops = tuple(op for op in program.ops if place[op.out] == name)
    made = {op.out for op in ops}
    read = {a for op in ops for a in op.args if isinstance(a, str)} | {value for _, value in outputs}
    learned = _reached(program, ("parameter",))  # of what is known once, the rest is made of constants
    taken = tuple(
        Input(op.out, _role(place[op.out], op.out in learned), op.shape)
        for op in program.ops
        if op.out in read and op.out not in made
    )
    own = tuple(i for i in program.inputs if i.name in read or (name == "loop" and i.role == "state"))
    return check(_needed(Program(taken + own, ops, outputs)))


def _role(place: str, is_learned: bool) -> str:
    if place == "once":
        return "parameter" if is_learned else "constant"
    return "input"


def _needed(program: Program) -> Program:
    part = live(program)
    read = {a for op in part.ops for a in op.args} | {value for _, value in part.outputs}
    return Program(tuple(i for i in part.inputs if i.name in read or i.role == "state"), part.ops, part.outputs)


def _crossing(
    program: Program, place: dict[str, str], name: str, readers: tuple[Program, ...]
) -> tuple[tuple[str, str], ...]:
    """Return what later parts read of one part; for `before`, also x and dt where the loop reads them bare."""
    bare = {i.name for i in program.inputs if name == "before" and i.role in GIVEN}
    read = {i.name for reader in readers for i in reader.inputs}
    return tuple((v, v) for v in program.by_name if v in read and (v in bare or place.get(v) == name))


def _reached(program: Program, roles: tuple[str, ...]) -> set[str]:
    """Return the values that inputs of these roles have a part in."""
    found = {i.name for i in program.inputs if i.role in roles}
    for op in program.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found
