"""Where the values of a pass stand: in arguments, in sequences that move with the step, in the loop's own memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ostinato.unroll.native.passes import Carried, Pass, Place
from ostinato.unroll.native.printer.lines import block, indent, noted, plus, times
from ostinato.unroll.native.printer.names import Names


@dataclass(frozen=True)
class Field:
    """One argument: what it is called in the source, and what stands in it."""

    name: str
    kind: str
    """constant | pointer"""
    tensor: str
    """Of a pointer: the tensor; of a constant: its name."""
    note: str = ""


@dataclass(frozen=True)
class OwnMemory:
    """A part of the loop's own memory."""

    name: str
    count: str
    """How many numbers, as C++ says it."""
    note: str


@dataclass(frozen=True)
class Rows:
    """Where the rows of a value stand: `width` apart, from `start` numbers after a pointer on."""

    pointer: str
    start: int
    width: int

    @property
    def first(self) -> str:
        return plus(self.pointer, self.start)

    def at(self, *terms: str) -> str:
        """Return the pointer to the value in row `row`, and so many terms further on."""
        return plus(self.pointer, self.distance(*terms))

    def distance(self, *terms: str) -> str:
        """Return how far that is from the pointer."""
        return plus(times("row", self.width), self.start, *terms)


@dataclass(frozen=True)
class Panels:
    """A matrix packed for products: `size` numbers come out, each of `depth` that go in."""

    name: str
    matrix: str
    transposed: bool
    size: int
    depth: int


class Storage:
    """Says where each value of a pass stands, and notes the arguments and the memory that this takes."""

    def __init__(self, made: Pass):
        self.pass_ = made
        self.fields: dict[str, Field] = {}
        self.own: dict[str, OwnMemory] = {}
        self.sources = {c.source: c for c in made.carried}
        self.results: dict[str, list[Carried]] = {}
        for c in made.carried:
            self.results.setdefault(c.result, []).append(c)
        stages = made.schedule.stages
        self.numbers = {op.out for stage in stages if not stage.size for op in stage.ops}
        self.partials = {op.out: op.fn for stage in stages for op in stage.reductions}
        self._values, self._arguments, self._memory, self._panels = Names(), Names(), Names(), Names()
        for stage in stages:  # letters of the equations first, so that they keep their names
            for item in (*stage.products, *stage.ops):
                self.value(item.out)

    # ---- names

    def value(self, value: str) -> str:
        """Return what a value is called within a stage."""
        return self._values.of(value)

    def state(self, state: str, role: str) -> str:
        """Return the pointer to the rows of a state, or of its gradient, at the step at hand."""
        return self._values.of(f"{state} {role}")

    def argument(self, tensor: str, note: str, kind: str = "pointer") -> str:
        """Return an argument; the first time that it is asked for, it is noted."""
        name = self._arguments.of(_title(tensor), f"{kind} {tensor}")
        self.fields.setdefault(name, Field(name, kind, tensor, note))
        return f"args.{name}"

    def memory(self, name: str, count: str, note: str) -> str:
        """Return a part of the loop's own memory; the first time that it is asked for, it is noted."""
        called = self._memory.of(name)
        self.own.setdefault(called, OwnMemory(called, count, note))
        return f"work.{called}"

    # ---- what there is of each kind

    def sequence(self, tensor: str, width: int) -> str:
        """Return the argument that is a sequence: one row for each row of each step."""
        held: dict[str, int] = {}
        for value, place in self._places():
            if place.tensor == tensor:
                held.setdefault(self.value(value), place.start)
        values = sorted(held, key=lambda v: held[v])
        note = ", ".join([*values, *(["or null"] if tensor in self.pass_.optional else [])])
        return self.argument(tensor, f"[rows of all steps][{width}] {note}".rstrip())

    def now(self, tensor: str, width: int) -> str:
        """Return the pointer to a sequence's rows of the step at hand."""
        self.sequence(tensor, width)
        return self._values.of(f"{_title(tensor)} now", f"now {tensor}")

    def every(self, state: str, size: int) -> str:
        """Return the argument that is a state after every step."""
        optional = "" if self.pass_.backward else ", or null"
        return self.argument(f"{state} all", f"[rows of all steps][{size}] {state} after each step{optional}")

    def carried(self, c: Carried, role: str) -> str:
        """Return the argument with what is carried: where it starts, where it ends, where a reset takes it."""
        notes = {
            "start": f"{c.name} before the first step",
            "last": f"{c.name} after a row's last step",
            "initial": f"{c.name} after a reset",
        }
        gradient = "d " if self.pass_.backward else ""
        note = f"[batch][{c.size}] {'gradient of ' if gradient else ''}{notes[role]}"
        return self.argument(f"{gradient}{c.name} {role}", note)

    def turn(self, c: Carried) -> str:
        """Return the memory that holds what is carried, after even and after odd steps."""
        note = f"[2][batch][{c.size}]"
        if self.pass_.backward:
            return self.memory(f"d {c.name} turn", f"2 * batch * {c.size}", f"{note} gradient of {c.name}, by turns")
        return self.memory(
            f"{c.name} turn", f"2 * batch * {c.size}", f"{note} {c.name} by turns, where not all are kept"
        )

    def total(self, value: str) -> str:
        """Return the memory that holds each thread's sum of a value over rows and steps, `total_width` apart."""
        size = self.pass_.totals[value] or 1
        count = f"threads * {self.total_width(value)}"
        return self.memory(f"sum {value}", count, f"[threads][{size}] {self.value(value)} over rows and steps")

    def total_width(self, value: str) -> int:
        """Return how far apart the threads' sums of a value are."""
        return _padded(self.pass_.totals[value] or 1)

    def own_total(self, value: str) -> str:
        """Return the pointer to a thread's own sum of a value."""
        return f"{self.total(value)} + me.id * {self.total_width(value)}"

    def number(self, value: str) -> str:
        """Return a single number of row `row`."""
        return f"{self.memory(value, 'threads * batch', '[threads][batch]')}[single(row)]"

    def parts(self, value: str) -> str:
        """Return the memory that holds a sum over a row on its way."""
        return self.memory(f"{value}s", "threads * batch * VL", "[threads][batch][VL]")

    # ---- places

    def place(self, value: str) -> Rows:
        """Return where a vector stands in memory."""
        found = self._state_place(value) or self._other_place(value)
        assert found is not None, f"{value} stands nowhere"
        return found

    def _state_place(self, value: str) -> Rows | None:
        made = self.pass_
        if value in made.before or (not made.backward and value in self.sources):
            size = made.before.get(value) or self.sources[value].size
            return Rows(self.state(value, "before"), 0, size)
        if value in self.sources:
            c = self.sources[value]
            return Rows(self.state(f"d {c.name}", "arriving"), 0, c.size)
        if value in self.results and not made.backward:
            return self.result_place(self.results[value][0])
        return None

    def _other_place(self, value: str) -> Rows | None:
        made = self.pass_
        if value in made.schedule.buffers:
            size = made.schedule.buffers[value]
            name = self.memory(value, f"batch * {_padded(size)}", f"[batch][{size}], rows {_padded(size)} apart")
            return Rows(name, 0, _padded(size))
        place = made.reads.get(value) or (made.writes.get(value) or (None,))[0]
        if place is not None and not (value in made.writes and place.tensor in made.optional):
            return self.sequence_place(place)
        return self.result_place(self.results[value][0]) if value in self.results else None

    def result_place(self, c: Carried) -> Rows:
        """Return where a step leaves what is carried."""
        pointer = self.state(f"d {c.name}", "leaving") if self.pass_.backward else self.state(c.name, "after")
        return Rows(pointer, 0, c.size)

    def sequence_place(self, place: Place) -> Rows:
        """Return where a place of a sequence is at the step at hand."""
        return Rows(self.now(place.tensor, place.width), place.start, place.width)

    def sequences(self) -> list[tuple[str, int]]:
        """Return (tensor, width) of each sequence that moves with the step."""
        found = {place.tensor: place.width for _, place in self._places()}
        found |= {c.also: c.size for c in self.pass_.carried if c.also}
        return list(found.items())

    def _places(self) -> list[tuple[str, Place]]:
        made = self.pass_
        return [*made.reads.items(), *((value, place) for value, places in made.writes.items() for place in places)]

    def step_pointers(self) -> list[str]:
        """Return the pointers that move from step to step."""
        made = self.pass_
        found = [self.now(tensor, width) for tensor, width in self.sequences()]
        for c in made.carried:
            found += [self.place(c.source).pointer, self.result_place(c).pointer]
        return found + [self.state(s, "before") for s in made.before]

    # ---- matrices

    @property
    def panels(self) -> list[Panels]:
        """Return what the products read: a matrix that is met from both sides is packed twice."""
        products = [p for stage in self.pass_.schedule.stages for p in stage.products]
        sides = dict.fromkeys((f.matrix, f.transposed) for p in products for f in p.factors)
        return [self.panels_of(*side) for side in sides]

    def panels_of(self, matrix: str, transposed: bool) -> Panels:
        """Return a matrix as products read it."""
        m = self.pass_.matrices[matrix]
        name = self._panels.of(f"{matrix} columns" if transposed else matrix)
        return Panels(name, matrix, transposed, *((m.depth, m.rows) if transposed else (m.rows, m.depth)))

    # ---- what all of this takes, as C++; complete once everything that uses it is printed

    def print_arguments(self) -> list[str]:
        types = {"constant": "double ", "pointer": "real *"}
        lines = noted((f"{types[f.kind]}{f.name};", f.note) for f in self.fields.values())
        return [*block("struct Arguments : Call", lines)[:-1], "};", ""]

    def print_panels(self) -> list[str]:
        """Return a struct with a pointer to each packed matrix."""
        pointers, takes = [], []
        for p in self.panels:
            m, how = self.pass_.matrices[p.matrix], "its columns" if p.transposed else "its rows"
            pointers.append((f"real *{p.name};", f"[{m.rows}][{m.depth}], {how} meet the operand"))
            takes.append(f"{p.name} = memory.take(packed({p.size}, {p.depth}));")
        lines = [*noted(pointers), *block("explicit Panels([[maybe_unused]] Memory &memory)", takes)]
        return ["struct Panels {  // matrices, packed", *indent(lines), "};", ""]

    def print_memory(self) -> list[str]:
        """Return a struct with a pointer to each part of the loop's own memory."""
        pointers = noted((f"real *{own.name};", own.note) for own in self.own.values())
        takes = [f"{own.name} = memory.take({own.count});" for own in self.own.values()]
        counts = "[[maybe_unused]] int64_t batch, [[maybe_unused]] int64_t threads"
        lines = [*pointers, *block(f"Work([[maybe_unused]] Memory &memory, {counts})", takes)]
        return ["struct Work {  // the loop's own memory", *indent(lines), "};", ""]


def _title(tensor: str) -> str:
    """Return what a tensor is called: one that an earlier part of the step makes has only a number (%3)."""
    if tensor.startswith("v "):  # a value of the loop, kept for a weight's gradient
        return f"{tensor[2:]} all"
    return tensor if tensor.startswith("sum ") else re.sub(r"%(?=\d)", "given_", tensor)


def _padded(size: int) -> int:
    """Return the numbers that a row of `size` takes in memory of our own, so that rows start on a cache line."""
    return (size + 15) // 16 * 16
