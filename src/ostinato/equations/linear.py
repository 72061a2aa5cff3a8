"""Which states of a step are linear in themselves, and what a scan over time takes to find them all at once.

A step falls into groups of states that need each other, in the order in which they are known:

    c' = f * c + i * g          {c}: scanned, its coefficient f and its offset i * g known for all steps
    h' = o * tanh(c')           {h}: follows from c', nothing to scan

A group is linear where each new state is a sum of its states, each times a coefficient, and an offset. Coefficients and
offsets may depend on anything but the group itself: on x and dt, and on states of earlier groups in any way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import PRODUCTS, Builder, Input, Op, Program

MOST_COUPLED = 4
"""States that need each other unit by unit, at most: a scan multiplies their blocks of coefficients."""

Value = str | float
"""The name of a value, or a number."""


class NotLinear(Exception):
    """A step that no scan can say; the message is the reason, as one clause."""


class TooCostly(NotLinear):
    """A step that is linear, and would cost a scan far more than a loop."""


@dataclass(frozen=True)
class Group:
    """States that one scan finds, and what it takes: a step of the group is new = coefficients · old + offset."""

    states: tuple[str, ...]
    program: Program
    """For all steps at once: what the scan takes, and what later parts read."""
    offsets: tuple[Value, ...]
    """Of each state."""
    coefficients: tuple[tuple[Value, ...], ...]
    """Row i: how the new state i depends on each old one, unit by unit. Empty where matrices say it."""
    map: Program | None = None
    """Where units meet: from the old states to the new ones, without offsets, the same at every step."""

    @property
    def is_scanned(self) -> bool:
        """Whether its states depend on themselves; else they are their offsets."""
        return self.map is not None or any(c != 0.0 for row in self.coefficients for c in row)


@dataclass(frozen=True)
class Linear:
    """A step as scans one after the other, and the output for all steps at once."""

    groups: tuple[Group, ...]
    after: Program
    new: Mapping[str, str]
    """State -> what its new value is called in the programs."""


def linear(program: Program) -> Linear | str:
    """Return a step as scans, or in a clause why it is none."""
    found = _read(program)
    return str(found) if isinstance(found, NotLinear) else found


def is_linear(program: Program) -> bool:
    """Return whether each state is linear in those that it and they need, once all others are known."""
    return isinstance(_read(program), Linear | TooCostly)


@lru_cache(maxsize=512)
def _read(program: Program) -> Linear | NotLinear:
    try:
        return _Reader(program).linear()
    except NotLinear as reason:
        return reason


@dataclass(frozen=True)
class _Form:
    """A value as a sum: of the group's states, each times a coefficient, and of what does not depend on them."""

    terms: Mapping[str, Value]
    offset: Value


class _Mixed(Exception):
    """Units of a state meet; the message says where."""


class _Reader:
    def __init__(self, program: Program):
        self.program = program
        self.builder = Builder(program.inputs, program.ops)
        self.new = {s.name: program.output(f"{s.name}'") for s in program.states}
        self.reached = _reached(program)

    def linear(self) -> Linear:
        found, costly = [], []
        for states in self._groups():
            try:
                found.append(self._group(states))
            except TooCostly as reason:
                costly.append(reason)
        if costly:
            raise costly[0]
        stages = [_wanted(group) for group in found] + [[self.program.output("y")]]
        parts = _Parts(self.builder, self.program, self.new).cut([g.states for g in found], stages)
        groups = tuple(_with(group, part) for group, part in zip(found, parts, strict=False))
        return Linear(groups, parts[-1], self.new)

    def _groups(self) -> list[tuple[str, ...]]:
        """Return the states that need each other, a group after all that it needs."""
        needs = {s: self.reached[self.new[s]] for s in self.new}
        for _ in needs:
            needs = {s: found.union(*(needs[t] for t in found)) for s, found in needs.items()}
        groups = dict.fromkeys(tuple(t for t in needs if t == s or (t in needs[s] and s in needs[t])) for s in needs)
        return sorted(groups, key=lambda group: len(needs[group[0]] | set(group)))

    def _group(self, states: tuple[str, ...]) -> Group:
        try:
            return _ByUnits(self, states).group()
        except _Mixed as mixed:
            return _ByMatrix(self, states, str(mixed)).group()


class _Walk:
    """Goes through what a group's new states are made of, each value as a sum of terms and an offset."""

    def __init__(self, reader: _Reader, states: tuple[str, ...]):
        self.reader, self.states, self.builder = reader, states, reader.builder
        self.forms: dict[str, _Form] = {s: _Form({s: 1.0}, 0.0) for s in states}

    def new_states(self) -> list[_Form]:
        wanted = [self.reader.new[s] for s in self.states]
        for op in _behind(self.reader.program, wanted, lambda v: not self._depends(v)):
            self.forms[op.out] = self._form(op)
        return [self.form(v) for v in wanted]

    def form(self, value: Value) -> _Form:
        return self.forms.get(value) or _Form({}, value) if isinstance(value, str) else _Form({}, value)

    def _depends(self, value: str) -> bool:
        return not self.reader.reached[value].isdisjoint(self.states)

    def _form(self, op: Op) -> _Form:
        args = [self.form(a) for a in op.args]
        depends = [bool(a.terms) for a in args]
        match op.fn:
            case "add" | "sub" | "neg" | "copy":
                return self._sum(op.fn, args)
            case "mul" if not all(depends):
                factor, form = (args[0].offset, args[1]) if depends[1] else (args[1].offset, args[0])
                return self._each(form, lambda v: self.times(factor, v))
            case "div" if not depends[1]:
                return self._each(args[0], lambda v: self.emit("div", v, args[1].offset))
            case "where" if not depends[0]:
                return self._chosen(args)
        if op.fn in PRODUCTS or op.fn in ("slice", "sum", "mean"):
            return self.mixed(op, args)
        raise NotLinear(f"{_not_linear(self.states)}: {_WORDS.get(op.fn, op.fn)} takes what depends on it")

    def mixed(self, op: Op, args: list[_Form]) -> _Form:
        """Return what an operation gives that lets units meet, or raise."""
        raise NotImplementedError

    def _sum(self, fn: str, args: list[_Form]) -> _Form:
        signed = [args[0], *(self._each(a, self.minus) for a in args[1:])] if fn == "sub" else args
        signed = [self._each(a, self.minus) for a in args] if fn == "neg" else signed
        terms = dict(signed[0].terms)
        for form in signed[1:]:
            for state, coefficient in form.terms.items():
                terms[state] = self.plus(terms[state], coefficient) if state in terms else coefficient
        offset = signed[0].offset
        for form in signed[1:]:
            offset = self.plus(offset, form.offset)
        return _Form(terms, offset)

    def _chosen(self, args: list[_Form]) -> _Form:
        condition = args[0].offset
        states = {**args[1].terms, **args[2].terms}
        sides = [{s: a.terms.get(s, 0.0) for s in states} for a in args[1:]]
        terms = {s: self.emit("where", condition, sides[0][s], sides[1][s]) for s in states}
        return _Form(terms, self.emit("where", condition, args[1].offset, args[2].offset))

    def _each(self, form: _Form, change: Callable[[Value], Value]) -> _Form:
        return _Form({s: change(c) for s, c in form.terms.items()}, change(form.offset))

    # ---- operations, those with nothing or one left out

    def emit(self, fn: str, *args: Value) -> Value:
        if fn in ("div", "slice", "sum", "mean") and args[0] == 0.0:
            return 0.0
        return self.builder.emit(fn, args)

    def plus(self, a: Value, b: Value) -> Value:
        return b if a == 0.0 else a if b == 0.0 else self.emit("add", a, b)

    def minus(self, a: Value) -> Value:
        return -a if isinstance(a, float) else self.emit("neg", a)

    def times(self, a: Value, b: Value) -> Value:
        if 0.0 in (a, b):
            return 0.0
        return b if a == 1.0 else a if b == 1.0 else self.emit("mul", a, b)


class _ByUnits(_Walk):
    """A group whose units do not meet: a coefficient for each unit and pair of states."""

    def group(self) -> Group:
        forms = self.new_states()
        if len(self.states) > MOST_COUPLED and any(f.terms for f in forms):
            raise TooCostly(
                f"{len(self.states)} states need each other, and a scan would multiply blocks of so many coefficients"
            )
        coefficients = tuple(tuple(f.terms.get(s, 0.0) for s in self.states) for f in forms)
        return Group(self.states, self.reader.program, tuple(f.offset for f in forms), coefficients)

    def mixed(self, op: Op, args: list[_Form]) -> _Form:
        raise _Mixed(f"{_WORDS.get(op.fn, op.fn)} takes the state")


class _ByMatrix(_Walk):
    """A group whose units meet: the map from old to new states is one matrix, as long as it never changes."""

    def __init__(self, reader: _Reader, states: tuple[str, ...], why: str):
        super().__init__(reader, states)
        self.why = why
        # here a term is not a coefficient but the value itself, under the name of all the group's states
        self.forms = {s: _Form({"": s}, 0.0) for s in states}

    def group(self) -> Group:
        forms = self.new_states()
        offsets = tuple(f.offset for f in forms)
        ops = {op.out: op for op in self.builder.ops}
        outputs = tuple((f"{s}'", f.terms.get("", 0.0)) for s, f in zip(self.states, forms, strict=True))
        given = {s: self.reader.program.by_name[s] for s in self.states}
        terms = tuple((label, value) for label, value in outputs if isinstance(value, str))
        whole = Program(self.reader.program.inputs, tuple(ops.values()), terms)
        needed = tuple(_behind(whole, [v for _, v in terms], lambda v: False))
        read = {a for op in needed for a in op.args} | given.keys()
        varying = [i for i in whole.inputs if i.name in read and i.role not in ("parameter", "constant")]
        if {i.name for i in varying} - given.keys():
            raise TooCostly(f"{self.why}, and is gated: a scan would multiply a matrix a step, not a number a unit")
        inputs = tuple(i for i in whole.inputs if i.name in read)
        return Group(self.states, self.reader.program, offsets, (), Program(inputs, needed, terms))

    def mixed(self, op: Op, args: list[_Form]) -> _Form:
        if op.fn == "slice":
            return _Form({"": self._slice(op, args[0].terms[""])}, self._slice(op, args[0].offset))
        if op.fn in ("sum", "mean"):
            return self._each(args[0], lambda v: self.emit(op.fn, v))
        matrix, form = str(op.args[0]), args[1]
        offset = form.offset if form.offset == 0.0 else self._product(op, matrix, form.offset)
        if op.fn == "affine":
            offset = self.plus(offset, op.args[2])
        return _Form({"": self._product(op, matrix, form.terms[""])}, offset)

    def _product(self, op: Op, matrix: str, operand: Value) -> Value:
        return self.emit("matmul_t" if op.fn == "matmul_t" else "matmul", matrix, operand)

    def _slice(self, op: Op, value: Value) -> Value:
        return value if isinstance(value, float) else self.builder.emit("slice", (value,), None, op.start, op.shape)


_WORDS = {"matmul": "a matrix", "matmul_t": "a matrix", "affine": "a matrix", "slice": "a part"}
_WORDS |= dict.fromkeys(("gt", "ge", "lt", "le"), "a comparison")
_WORDS |= {"mul": "a product", "div": "a quotient", "where": "a choice"}


def _not_linear(states: tuple[str, ...]) -> str:
    if len(states) == 1:
        return f"{states[0]}' is not linear in {states[0]}"
    return f"{' and '.join(states)} need each other, and are not linear in the state"


def _reached(program: Program) -> dict[str, frozenset[str]]:
    """Return the states before the step that each value depends on."""
    found = {i.name: frozenset({i.name} if i.role == "state" else ()) for i in program.inputs}
    for op in program.ops:
        found[op.out] = frozenset().union(*(found[a] for a in op.args if isinstance(a, str)))
    return found


def _behind(program: Program, values: Iterable[str], ends: Callable[[str], bool]) -> list[Op]:
    """Return the operations that values are made by, in order, none that is behind one where it `ends`."""
    needed, found = {v for v in values if not ends(v)}, []
    for op in reversed(program.ops):
        if op.out in needed:
            found.append(op)
            needed.update(a for a in op.args if isinstance(a, str) and not ends(a))
    return found[::-1]


def _wanted(group: Group) -> list[str]:
    values = [*group.offsets, *(c for row in group.coefficients for c in row)]
    return [v for v in values if isinstance(v, str)]


def _with(group: Group, program: Program) -> Group:
    return Group(group.states, program, group.offsets, group.coefficients, group.map)


class _Parts:
    """Cuts what groups and the output are made of into programs: a value is computed once, where it is first needed."""

    def __init__(self, builder: Builder, program: Program, new: Mapping[str, str]):
        self.whole = Program(program.inputs, tuple(builder.ops), ())
        self.new = new
        self.inputs = {i.name for i in program.inputs}

    def cut(self, groups: list[tuple[str, ...]], wanted: list[list[str]]) -> list[Program]:
        known: set[str] = set()
        parts: list[list[Op]] = []
        for k, values in enumerate(wanted):
            part = _behind(self.whole, values, known.__contains__)
            # comparisons are booleans while they are computed, which nothing else is: each part makes its own
            known |= {op.out for op in part if op.fn not in FUNCTIONS or FUNCTIONS[op.fn].kind != "comparison"}
            known |= {self.new[s] for s in groups[k]} if k < len(groups) else set()
            parts.append(part)
        read = [{a for op in part for a in op.args} | set(values) for part, values in zip(parts, wanted, strict=True)]
        return [
            self._program(part, dict.fromkeys([*wanted[k], *self._crossing(part, read[k + 1 :])]))
            for k, part in enumerate(parts)
        ]

    def _crossing(self, part: list[Op], later: list[set]) -> list[str]:
        return [op.out for op in part if any(op.out in read for read in later)]

    def _program(self, part: list[Op], outputs: Iterable[str]) -> Program:
        made = {op.out for op in part}
        read = {a for op in part for a in op.args if isinstance(a, str)} | set(outputs)
        inputs = []
        for name, entry in self.whole.by_name.items():
            if name in read and name not in made:
                inputs.append(entry if isinstance(entry, Input) else Input(name, "input", entry.shape))
        return Program(tuple(inputs), tuple(part), tuple((name, name) for name in outputs))
