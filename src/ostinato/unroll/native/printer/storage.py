"""Where the values of a pass stand: in arguments, in sequences that move with the step, in the loop's own memory."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.equations.program import Op
from ostinato.unroll.native.passes import Carried, Matrix, Pass, Place
from ostinato.unroll.native.printer.names import Names

_TYPES = {"number": "int64_t", "constant": "double", "pointer": "real *"}
_FIXED = [
    ("int64_t", "steps", "number of steps"),
    ("int64_t", "batch", "rows of the states"),
    ("int64_t", "by_rows", "whether threads share out rows; else units"),
    ("const int64_t *", "rows", "[steps] rows alive at each step, never growing"),
    ("const uint8_t *", "reset", "one for each row of each step, or null: whether it starts anew"),
    ("real *", "memory", "numbers_needed() of them"),
    ("real *", "packed_matrices", "packed_needed() of them"),
    ("int64_t", "pack", "whether they are yet to be packed"),
]


@dataclass(frozen=True)
class Field:
    """One argument: what it is called in the source, and what stands in it."""

    name: str
    kind: str
    """number | constant | pointer"""
    tensor: str
    """Of a pointer: the tensor; of a constant: its name; of a number: what is counted."""
    note: str = ""


@dataclass(frozen=True)
class OwnMemory:
    """A part of the loop's own memory."""

    name: str
    count: str
    """How many numbers, as C++ says it."""
    note: str


class Storage:
    """Says where each value of a pass stands, and notes the arguments and the memory that this takes."""

    def __init__(self, made: Pass):
        self.pass_ = made
        self.names = Names()
        self.fields: list[Field] = []
        self.own: list[OwnMemory] = []
        self.sources = {c.source: c for c in made.carried}
        self.results: dict[str, list[Carried]] = {}
        for c in made.carried:
            self.results.setdefault(c.result, []).append(c)
        stages = made.schedule.stages
        singles = [op.out for stage in stages if not stage.size for op in stage.ops]
        self.numbers = {value: k for k, value in enumerate(singles)}
        self.partials: list[Op] = [op for stage in stages for op in stage.reductions]
        for stage in stages:  # letters of the equations first, so that they keep their names
            for item in (*stage.products, *stage.ops):
                self.value(item.out)

    # ---- names, each noted where it is first asked for

    def value(self, value: str) -> str:
        """Return what a value is called within a stage."""
        return self.names.of("value", value)

    def state(self, state: str, role: str) -> str:
        """Return the pointer to the rows of a state at the step at hand."""
        return f"{self.names.of('state', state)}_{role}"

    def field(self, name: str, kind: str, tensor: str, note: str = "") -> str:
        """Return what an argument is called; equal ones are passed once."""
        called = self.names.of(f"field {kind}", name)
        if all(f.name != called for f in self.fields):
            self.fields.append(Field(called, kind, tensor, note))
        return called

    def memory(self, name: str, count: str, note: str) -> str:
        """Return what a part of the loop's own memory is called."""
        called = self.names.of("work", name)
        if all(own.name != called for own in self.own):
            self.own.append(OwnMemory(called, count, note))
        return called

    def sequence(self, tensor: str, width: int, *, written: bool = False) -> str:
        """Return the argument that is a sequence: one row for each row of each step."""
        note = f"[rows of all steps][{width}] {tensor}" + (" (written)" if written else "")
        return self.field(tensor, "pointer", tensor, note)

    def now(self, tensor: str, width: int, *, written: bool = False) -> str:
        """Return the pointer to a sequence's rows of the step at hand."""
        return f"{self.sequence(tensor, width, written=written)}_now"

    def carried(self, c: Carried, role: str) -> str:
        """Return the argument with what is carried: where it starts, where it ends, where a reset takes it."""
        tensor = f"d {c.name} {role}" if self.pass_.backward else f"{c.name} {role}"
        return self.field(tensor, "pointer", tensor, f"[batch][{c.size}] {tensor}")

    def total(self, value: str) -> str:
        """Return the pointer to a thread's sum of a value over rows and steps."""
        return f"{self.totals(value)} + me.id * {self.total_width(value)}"

    def totals(self, value: str) -> str:
        """Return the pointer to all threads' sums of a value, `total_width` apart."""
        size = self.pass_.totals[value] or 1
        note = f"[threads][{size}] {value} over rows and steps"
        return "w." + self.memory(f"total {value}", f"threads * {self.total_width(value)}", note)

    def total_width(self, value: str) -> int:
        return _padded(self.pass_.totals[value] or 1)

    # ---- places

    def address(self, value: str) -> tuple[str, int] | None:
        """Return (pointer to the first row, numbers from row to row) of a value in memory; None for others."""
        made = self.pass_
        if value in made.before or (not made.backward and value in self.sources):
            return self.state(value, "before"), made.before.get(value) or self.sources[value].size
        if value in self.sources:
            return self.state(self.sources[value].name, "arriving"), self.sources[value].size
        if value in self.results and not made.backward:
            c = self.results[value][0]
            return self.state(c.name, "after"), c.size
        if value in made.schedule.buffers:
            size = made.schedule.buffers[value]
            name = self.memory(f"buffer {value}", f"batch * {_padded(size)}", f"[batch][{size}] {value}")
            return f"w.{name}", _padded(size)
        place = made.reads.get(value) or (made.writes.get(value) or (None,))[0]
        if place is not None and not (value in made.writes and place.tensor in made.optional):
            pointer = self.now(place.tensor, place.width, written=value in made.writes)
            return pointer + (f" + {place.start}" if place.start else ""), place.width
        if value in self.results:
            c = self.results[value][0]
            return self.state(c.name, "leaving"), c.size
        return None

    def sequences(self) -> list[tuple[str, int]]:
        """Return (tensor, width) of each sequence that moves with the step."""
        made = self.pass_
        places: list[Place] = [*made.reads.values(), *(p for ps in made.writes.values() for p in ps)]
        found = {p.tensor: p.width for p in places}
        found |= {c.also: c.size for c in made.carried if c.also}
        return list(found.items())

    def step_pointers(self) -> list[str]:
        """Return the pointers that move from step to step."""
        made = self.pass_
        roles = ("arriving", "leaving") if made.backward else ("before", "after")
        found = [self.now(tensor, width) for tensor, width in self.sequences()]
        found += [self.state(c.name, role) for c in made.carried for role in roles]
        return found + [self.state(s, "before") for s in made.before]

    # ---- matrices

    def is_transposed(self, matrix: str) -> bool:
        """Return whether columns of the matrix meet the operand."""
        products = [p for stage in self.pass_.schedule.stages for p in stage.products]
        return next(f.transposed for p in products for f in p.factors if f.matrix == matrix)

    def panel(self, matrix: str) -> tuple[int, int]:
        """Return (columns out, depth) of a packed matrix."""
        m: Matrix = self.pass_.matrices[matrix]
        return (m.depth, m.rows) if self.is_transposed(matrix) else (m.rows, m.depth)

    def packed(self, matrix: str) -> str:
        """Return the pointer to a packed matrix."""
        return f"p.packed_matrices + packed_before({list(self.pass_.matrices).index(matrix)})"

    # ---- what all of this takes, as C++; complete once everything that uses it is printed

    def print_arguments(self) -> str:
        lines = ["namespace {", "", "struct Arguments {"]
        lines += [f"  {kind}{'' if kind.endswith('*') else ' '}{name};  // {note}" for kind, name, note in _FIXED]
        for f in self.fields:
            gap = "" if _TYPES[f.kind].endswith("*") else " "
            lines.append(f"  {_TYPES[f.kind]}{gap}{f.name};  // {f.note}")
        return "\n".join([*lines, "};\n"])

    def print_memory(self) -> str:
        """Each part has its own length, and starts at a multiple of 16 numbers."""
        lines = ["struct Work {  // the loop's own memory"]
        lines += [f"  real *{own.name};  // {own.note}" for own in self.own]
        lines += [
            "  int64_t used = 0;",
            "  real *take(real *memory, int64_t count) {",
            "    real *at = memory ? memory + used : nullptr;",
            "    used += (count + 15) / 16 * 16;",
            "    return at;",
            "  }",
            "  Work([[maybe_unused]] real *memory, [[maybe_unused]] int64_t batch, [[maybe_unused]] int64_t threads) {",
            *[f"    {own.name} = take(memory, {own.count});" for own in self.own],
            "  }",
            "};\n",
        ]
        sizes = "".join(", packed({}, {})".format(*self.panel(matrix)) for matrix in self.pass_.matrices)
        return "\n".join(
            [
                *lines,
                f"constexpr int64_t PACKED[] = {{0{sizes}}};  // numbers of each packed matrix",
                "constexpr int64_t packed_before(int which) {",
                "  int64_t sum = 0;",
                "  for (int k = 0; k <= which; ++k) sum += PACKED[k];",
                "  return sum;",
                "}\n",
            ]
        )


def _padded(size: int) -> int:
    """Return the numbers that a row of `size` takes in memory of our own, so that rows start on a cache line."""
    return (size + 15) // 16 * 16
