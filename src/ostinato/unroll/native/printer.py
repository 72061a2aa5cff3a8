"""A pass as C++: one self-contained text with the equations' own letters, and the arguments its function takes."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib.resources import files

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Op
from ostinato.unroll.native.passes import Pass, Place
from ostinato.unroll.native.stages import Product, Stage

HEADERS = ("vector.h", "team.h", "product.h")
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_TAKEN = set(
    [
        "alignas",
        "and",
        "asm",
        "auto",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "constexpr",
        "continue",
        "default",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "namespace",
        "new",
        "not",
        "operator",
        "or",
        "private",
        "protected",
        "public",
        "register",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "template",
        "this",
        "throw",
        "true",
        "try",
        "typedef",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
        "xor",
        "real",
        "set",
        "load",
        "store",
        "sum",
        "max",
        "first",
        "fold",
        "lanes",
        "barrier",
        "product",
        "tile",
        "tiles",
        "blocks",
        "packed",
        "p",
        "w",
        "me",
        "n",
        "u",
        "i",
        "row",
        "rows",
        "from",
        "to",
        "stage",
        "M",
        "V",
        "VL",
        "UNITS",
        "MAX_ROWS",
        "Arguments",
        "Work",
        "Member",
        "Pool",
        "Share",
        "Groups",
        "Term",
        "Loop",
        "own",
        "each",
        "alive",
        "offset",
        "t",
    ]
)


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
class Source:
    """A printed pass."""

    text: str
    fields: tuple[Field, ...]
    own_lines: tuple[int, int]
    """Where the cell's own lines stand, below the headers that all sources share."""
    products: int
    """How many numbers of matrices a row meets in one step."""

    @property
    def own(self) -> str:
        """The cell's own part of the text."""
        return "\n".join(self.text.split("\n")[self.own_lines[0] : self.own_lines[1]])


def print_pass(made: Pass, title: str, *, double: bool = False) -> Source:
    """Return the C++ of a pass."""
    return _Printer(made, title, double).source()


@functools.cache
def read_headers(names: tuple[str, ...], *, double: bool) -> str:
    """Return the handwritten part of a source, for float64 or float32."""
    folder = files("ostinato.unroll.native") / "source"
    head = "#define OSTINATO_DOUBLE 1\n" if double else ""
    return head + "\n".join((folder / name).read_text("utf-8") for name in names)


class _Names:
    """Identifiers for values and tensors: the equations' own letters as far as C++ takes them."""

    def __init__(self):
        self.known: dict[tuple[str, str], str] = {}
        self.used = set(_TAKEN)

    def of(self, kind: str, name: str) -> str:
        if (kind, name) not in self.known:
            text = re.sub(r"^%", "t", name).replace("'", "_next").replace("+", "_").replace("%", "given")
            text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else _spelt(c) for c in text)
            text = re.sub(r"_+", "_", text).strip("_") or "value"
            text = f"v{text}" if text[0].isdigit() else text
            while text in self.used or text.startswith(("f_", "OSTINATO")):
                text = f"{text}_" if not text.startswith(("f_", "OSTINATO")) else f"v_{text}"
            self.used.add(text)
            self.known[kind, name] = text
        return self.known[kind, name]


def _spelt(c: str) -> str:
    return "_" if c.isascii() else f"u{ord(c):x}"


class _Printer:
    def __init__(self, made: Pass, title: str, double: bool):
        self.pass_, self.title, self.double = made, title, double
        self.sizes = made.schedule.sizes
        self.names = _Names()
        self.fields: list[Field] = []
        self.work: list[tuple[str, str, str]] = []
        self.sources = {c.source: c for c in made.carried}
        self.results: dict[str, list] = {}
        for c in made.carried:
            self.results.setdefault(c.result, []).append(c)
        self.numbers = self._numbers()
        self.partials = [op for stage in made.schedule.stages for op in stage.reductions]
        for stage in made.schedule.stages:  # letters of the equations first, so that they keep their names
            for item in (*stage.products, *stage.ops):
                self.names.of("value", item.out)

    # ---- the whole text

    def source(self) -> Source:
        stages = [self._stage(k, stage) for k, stage in enumerate(self.pass_.schedule.stages)]
        loop = [self._members(), *stages, self._steps(), "};\n\n}  // namespace\n", self._entry()]
        # arguments and memory are known once everything that uses them is printed
        own = "\n".join([self._arguments(), self._work(), "struct Loop {  // what one thread does", *loop])
        text = f"// {self.title}\n\n{read_headers(HEADERS, double=self.double)}\n{own}"
        first = text.count("\n", 0, len(text) - len(own))
        products = sum(m.rows * m.depth for m in self.pass_.matrices.values())
        return Source(text, tuple(self.fields), (first, text.count("\n") + 1), products)

    def _field(self, name: str, kind: str, tensor: str, note: str = "") -> str:
        """Return what an argument is called; equal ones are passed once."""
        called = self.names.of(f"field {kind}", name)
        if all(f.name != called for f in self.fields):
            self.fields.append(Field(called, kind, tensor, note))
        return called

    def _arguments(self) -> str:
        fixed = [
            ("int64_t", "steps", "number of steps"),
            ("int64_t", "batch", "rows of the states"),
            ("int64_t", "by_rows", "whether threads share out rows; else units"),
            ("const int64_t *", "rows", "[steps] rows alive at each step, never growing"),
            ("const uint8_t *", "reset", "one for each row of each step, or null: whether it starts anew"),
            ("real *", "memory", "numbers_needed() of them"),
            ("real *", "packed_matrices", "packed_needed() of them"),
            ("int64_t", "pack", "whether they are yet to be packed"),
        ]
        kinds = {"number": "int64_t", "constant": "double", "pointer": "real *"}
        lines = ["namespace {", "", "struct Arguments {"]
        lines += [f"  {kind}{'' if kind.endswith('*') else ' '}{name};  // {note}" for kind, name, note in fixed]
        for f in self.fields:
            gap = "" if kinds[f.kind].endswith("*") else " "
            lines.append(f"  {kinds[f.kind]}{gap}{f.name};  // {f.note}")
        return "\n".join([*lines, "};\n"])

    def _work(self) -> str:
        """Print the loop's own memory: each part has its own length, and starts at a multiple of 16 numbers."""
        lines = ["struct Work {  // the loop's own memory"]
        lines += [f"  real *{name};  // {note}" for name, _, note in self.work]
        lines += [
            "  int64_t used = 0;",
            "  real *take(real *memory, int64_t count) {",
            "    real *at = memory ? memory + used : nullptr;",
            "    used += (count + 15) / 16 * 16;",
            "    return at;",
            "  }",
            "  Work([[maybe_unused]] real *memory, [[maybe_unused]] int64_t batch, [[maybe_unused]] int64_t threads) {",
            *[f"    {name} = take(memory, {count});" for name, count, _ in self.work],
            "  }",
            "};\n",
        ]
        packed = ["constexpr int64_t PACKED[] = {0"]
        for m in self.pass_.matrices.values():
            size, depth = self._panel(m)
            packed[0] += f", packed({size}, {depth})"
        packed[0] += "};  // numbers of each packed matrix"
        packed += ["constexpr int64_t packed_before(int which) {"]
        packed += ["  int64_t sum = 0;", "  for (int k = 0; k <= which; ++k) sum += PACKED[k];", "  return sum;", "}\n"]
        return "\n".join(lines + packed)

    def _panel(self, matrix) -> tuple[int, int]:
        """Return (columns out, depth) of a packed matrix."""
        return (matrix.depth, matrix.rows) if self._is_transposed(matrix) else (matrix.rows, matrix.depth)

    def _is_transposed(self, matrix) -> bool:
        name = next(n for n, m in self.pass_.matrices.items() if m is matrix)
        return next(
            f.transposed
            for stage in self.pass_.schedule.stages
            for p in stage.products
            for f in p.factors
            if f.matrix == name
        )

    # ---- where values stand

    def _numbers(self) -> dict[str, int]:
        """Return a place for each single number that a stage leaves to others."""
        found: dict[str, int] = {}
        for stage in self.pass_.schedule.stages:
            if not stage.size:
                for op in stage.ops:
                    found[op.out] = len(found)
        return found

    def _sequence(self, tensor: str, width: int, *, written: bool = False) -> str:
        """Return the pointer to a sequence's rows of the step at hand."""
        note = f"[rows of all steps][{width}] {tensor}" + (" (written)" if written else "")
        return self._field(tensor, "pointer", tensor, note)

    def _carried_field(self, c, role: str) -> str:
        tensor = f"d {c.name} {role}" if self.pass_.backward else f"{c.name} {role}"
        return self._field(tensor, "pointer", tensor, f"[batch][{c.size}] {tensor}")

    def _memory(self, name: str, count: str, note: str) -> str:
        called = self.names.of("work", name)
        if all(entry[0] != called for entry in self.work):
            self.work.append((called, count, note))
        return called

    def _address(self, value: str, row: str = "row") -> tuple[str, str] | None:
        """Return (pointer to the first row, numbers from row to row) of a value in memory; None for others."""
        made = self.pass_
        if value in made.before or (not made.backward and value in self.sources):
            size = made.before.get(value) or self.sources[value].size
            return f"{self.names.of('state', value)}_before", str(size)
        if value in self.sources:
            return f"{self.names.of('state', self.sources[value].name)}_arriving", str(self.sources[value].size)
        place = made.reads.get(value) or (made.writes.get(value) or (None,))[0]
        if value in self.results and not made.backward:
            c = self.results[value][0]
            return f"{self.names.of('state', c.name)}_after", str(c.size)
        if value in made.schedule.buffers:
            size = made.schedule.buffers[value]
            name = self._memory(f"buffer {value}", f"batch * {_padded(size)}", f"[batch][{size}] {value}")
            return f"w.{name}", _padded(size)
        if place is not None and not (value in made.writes and place.tensor in made.optional):
            pointer = self._sequence(place.tensor, place.width, written=value in made.writes)
            return f"{pointer}_{'now'}" + (f" + {place.start}" if place.start else ""), str(place.width)
        if value in self.results:
            c = self.results[value][0]
            return f"{self.names.of('state', c.name)}_leaving", str(c.size)
        return None

    # ---- stages

    def _stage(self, k: int, stage: Stage) -> str:
        return self._numbers_stage(k, stage) if not stage.size else self._units_stage(k, stage)

    def _units_stage(self, k: int, stage: Stage) -> str:
        size = stage.size
        made = {p.out for p in stage.products} | {op.out for op in stage.ops}
        totals = [v for v in self.pass_.totals if v in made and self.pass_.totals[v]]
        before, inside = self._loads(stage, made, totals)
        stores = [line for value in stage.stored for line in self._stores(value)]
        for value in totals:
            before.append(f"V sum_{self._value(value)} = load<n>({self._total(value)} + u);")
        inside += [f"const V {self._value(op.out)} = {self._expression(op)};" for op in stage.ops]
        inside += stores
        inside += [f"sum_{self._value(v)} += {self._value(v)};" for v in totals]
        for op in stage.reductions:
            which = self.partials.index(op)
            source = self._value(str(op.args[0]))
            inside.append(f"real *const {self._value(op.out)}_part = part({which}, row);")
            part = f"{self._value(op.out)}_part"
            if op.fn == "sum":
                inside.append(f"store<VL>({part}, load<VL>({part}) + ::first<n>({source}, 0));")
            else:
                inside.append(
                    f"store<VL>({part}, f_maximum(load<VL>({part}), ::first<n>({source}, -__builtin_inf())));"
                )
        after = [f"store<n>({self._total(v)} + u, sum_{self._value(v)});" for v in totals]
        product = ", const real *product" if stage.products else ""
        lines = [
            "  template <int n>  // of the units from u on, for some rows",
            f"  inline __attribute__((always_inline)) void units_{k}(int64_t u, int64_t from, int64_t count{product}) const {{",
            *[f"    {line}" for line in before],
            "    for (int64_t i = 0; i < count; ++i) {",
            "      const int64_t row = own + (from + i) * each;",
            *[f"      {line}" for line in inside],
            "    }",
            *[f"    {line}" for line in after],
            "  }",
            "",
            f"  void stage_{k}() {{  // {size} units" + self._about(stage),
        ]
        lines += [
            f"    clear_part({self.partials.index(op)}, {'0' if op.fn == 'sum' else '-__builtin_inf()'});"
            for op in stage.reductions
        ]
        lines += [f"    const Share share = by_rows ? Share(blocks({size})) : Share(blocks({size}), me);"]
        lines += ["    const Groups groups(alive);"] if stage.products else []
        lines += [f"    {line}" for line in self._operands(stage)]
        if stage.products:
            lines.append(f"    alignas(64) real sums[{len(stage.products)} * MAX_ROWS * UNITS];")
        lines += [
            "    for (int64_t block = share.first; block < share.last; ++block) {",
            "      const int64_t u = block * UNITS;",
        ]
        if stage.products:
            lines += [
                "      for (int64_t group = 0; group < groups.count; ++group) {",
                "        const int64_t from = groups.start(group), count = groups.rows(group);",
            ]
            for j, product in enumerate(stage.products):
                lines += self._product(j, product, size)
        else:
            lines += ["      {", "        const int64_t from = 0, count = alive;"]
        argument = ", sums + v" if stage.products else ""
        lines += [
            "        int64_t v = 0;",
            f"        for (; v < UNITS && u + v + VL <= {size}; v += VL) units_{k}<VL>(u + v, from, count{argument});",
            f"        if constexpr ({size} % VL != 0)",
            f"          if (v < UNITS && u + v < {size}) units_{k}<{size} % VL>(u + v, from, count{argument});",
            "      }",
            "    }",
            "    if (!by_rows) barrier(me);",
            "  }",
            "",
        ]
        return "\n".join(lines)

    def _about(self, stage: Stage) -> str:
        made = [value for value in stage.stored if not value.startswith("%")]
        return f": {', '.join(made)}" if made else ""

    def _operands(self, stage: Stage) -> list[str]:
        """Print where the products' operands stand: where they are, or copied to where their rows do not crowd."""
        lines = []
        for operand, depth in self._depths(stage).items():
            address = self._address(operand)
            assert address is not None, operand
            pointer, width = address
            name = f"{self._value(operand)}_rows"
            copy = self._memory(f"near {depth}", f"(batch + threads) * ({depth} + SPREAD)", f"rows of {depth}, copied")
            room = f"((p.batch + me.count - 1) / me.count) * ({depth} + SPREAD)"
            if len(self._depths(stage)) > 1:  # each has its own copy
                copy = self._memory(
                    f"near {depth} {len(lines)}", f"(batch + threads) * ({depth} + SPREAD)", f"rows of {depth}, copied"
                )
            lines += [
                f"const real *{name} = {pointer} + own * {width};",
                f"int64_t {name}_apart = each * {width};",
                f"if (by_rows && alive > 1 && crowded({name}_apart)) {{",
                f"  copy_rows({name}, {name}_apart, alive, {depth}, w.{copy} + me.id * {room});",
                f"  {name} = w.{copy} + me.id * {room};",
                f"  {name}_apart = {depth} + SPREAD;",
                "}",
            ]
        return lines

    def _depths(self, stage: Stage) -> dict[str, int]:
        """Return the operands of a stage's products, and how many numbers of a row meet a matrix."""
        found = {}
        for product in stage.products:
            for factor in product.factors:
                matrix = self.pass_.matrices[factor.matrix]
                found[factor.operand] = matrix.rows if factor.transposed else matrix.depth
        return found

    def _product(self, j: int, product: Product, size: int) -> list[str]:
        lines = ["        {", "          const Term terms[] = {"]
        for factor in product.factors:
            matrix = self.pass_.matrices[factor.matrix]
            depth = matrix.rows if factor.transposed else matrix.depth
            panel = f"{self._packed(factor.matrix)} + block * UNITS * {depth}"
            name = f"{self._value(factor.operand)}_rows"
            rows = f"{name} + from * {name}_apart, {name}_apart"
            lines.append(f"              {{{rows}, {panel}, {depth}}},  // {factor.matrix} @ {factor.operand}")
        lines += [
            "          };",
            f"          product(count, {size} - u, terms, {len(product.factors)}, sums + {j} * MAX_ROWS * UNITS);",
            "        }",
        ]
        return lines

    def _packed(self, matrix: str) -> str:
        return f"p.packed_matrices + packed_before({list(self.pass_.matrices).index(matrix)})"

    def _loads(self, stage: Stage, made: set[str], totals: list[str]) -> tuple[list[str], list[str]]:
        """Return what is read before the rows and what for each row."""
        before, inside = [], []
        for j, product in enumerate(stage.products):
            inside.append(f"const V {self._value(product.out)} = load<VL>(product + ({j} * MAX_ROWS + i) * UNITS);")
        read = [a for op in (*stage.ops, *stage.reductions) for a in op.args if isinstance(a, str)]
        for value in dict.fromkeys(read):
            if value not in made:
                (before if self._is_fixed(value) else inside).append(
                    f"const V {self._value(value)} = {self._load(value)};"
                )
        return before, inside

    def _is_fixed(self, value: str) -> bool:
        return value in self.pass_.vectors or value in self.pass_.constants

    def _value(self, value: str) -> str:
        return self.names.of("value", value)

    def _load(self, value: str) -> str:
        """Return the expression that reads a vector, or a single number for all units."""
        if value in self.pass_.constants:
            return f"set(static_cast<real>(p.{self._field(value, 'constant', value, value)}))"
        if value in self.pass_.vectors:
            place = self.pass_.vectors[value]
            name = self._field(place.tensor, "pointer", place.tensor, f"{place.tensor}")
            if not self.sizes[value]:
                return f"set(p.{name}[{place.start}])"
            return f"load<n>(p.{name} + {place.start} + u)" if place.start else f"load<n>(p.{name} + u)"
        if value in self.numbers:
            return f"set(number({self.numbers[value]}, row))"
        address = self._address(value)
        assert address is not None, f"{value} stands nowhere"
        pointer, width = address
        if not self.sizes[value]:
            return f"set(({pointer})[row * {width}])"
        text = f"load<n>({pointer} + row * {width} + u)"
        optional = value in self.pass_.reads and self.pass_.reads[value].tensor in self.pass_.optional
        if optional and self.pass_.backward and self.pass_.reads[value].tensor.startswith("d "):
            name = self._sequence(self.pass_.reads[value].tensor, self.pass_.reads[value].width)
            text = f"{name}_now ? {text} : V{{}}"
        carried = self.sources.get(value)
        if carried and carried.also:
            name = self._sequence(carried.also, carried.size)
            text += f" + ({name}_now ? load<n>({name}_now + row * {carried.size} + u) : V{{}})"
        return text

    def _stores(self, value: str) -> list[str]:
        """Return the lines that leave a value in memory, wherever it is wanted."""
        lines, name = [], self._value(value)
        for c in self.results.get(value, ()):
            side = "leaving" if self.pass_.backward else "after"
            lines.append(f"store<n>({self.names.of('state', c.name)}_{side} + row * {c.size} + u, {name});")
        for place in self.pass_.writes.get(value, ()):
            pointer = f"{self._sequence(place.tensor, place.width, written=True)}_now"
            guard = f"if ({pointer}) " if place.tensor in self.pass_.optional else ""
            start = f" + {place.start}" if place.start else ""
            lines.append(f"{guard}store<n>({pointer} + row * {place.width}{start} + u, {name});")
        if value in self.pass_.schedule.buffers:
            address = self._address(value)
            assert address is not None
            lines.append(f"store<n>({address[0]} + row * {address[1]} + u, {name});")
        return lines

    def _expression(self, op: Op) -> str:
        args = [self._value(a) if isinstance(a, str) else f"set(real({a!r}))" for a in op.args]
        match op.fn:
            case "copy" | "fill":
                return args[0]
            case "neg":
                return f"-{args[0]}"
            case "div" if isinstance(op.args[1], float):
                return (
                    f"{args[0]} * set(real({1 / op.args[1]!r}))" if _is_exact(op.args[1]) else f"{args[0]} / {args[1]}"
                )
            case "pow" if isinstance(op.args[1], float) and op.args[1] in _POWERS:
                return _POWERS[op.args[1]].format(args[0])
        if op.fn in _INFIX:
            return f"{args[0]} {_INFIX[op.fn]} {args[1]}"
        assert op.fn in FUNCTIONS, op
        return f"f_{op.fn}({', '.join(args)})"

    def _numbers_stage(self, k: int, stage: Stage) -> str:
        made = {op.out for op in stage.ops}
        lines = [f"  void stage_{k}() {{  // single numbers of each row", "    for (int64_t i = 0; i < alive; ++i) {"]
        lines.append("      const int64_t row = own + i * each;")
        read = [a for op in stage.ops for a in op.args if isinstance(a, str) and a not in made]
        for value in dict.fromkeys(read):
            partial = next((op for op in self.partials if op.out == value), None)
            if partial is not None:
                whole = f"{partial.fn}_of({self.partials.index(partial)}, row)"
                lines.append(f"      const V {self._value(value)} = set({whole});")
            else:
                lines.append(f"      const V {self._value(value)} = {self._load(value)};")
        for op in stage.ops:
            lines.append(f"      const V {self._value(op.out)} = {self._expression(op)};")
            lines.append(f"      number({self.numbers[op.out]}, row) = {self._value(op.out)}[0];")
            for place in self.pass_.writes.get(op.out, ()):
                pointer = f"{self._sequence(place.tensor, place.width, written=True)}_now"
                guard = f" && {pointer}" if place.tensor in self.pass_.optional else ""
                where = f"{pointer}[row * {place.width} + {place.start}]"
                lines.append(f"      if (is_first(){guard}) {where} = {self._value(op.out)}[0];")
            if op.out in self.pass_.totals:
                lines.append(f"      if (is_first()) *({self._total(op.out)}) += {self._value(op.out)}[0];")
        return "\n".join([*lines, "    }", "  }", ""])

    def _total(self, value: str) -> str:
        size = self.pass_.totals[value] or 1
        name = self._memory(
            f"total {value}", f"threads * {_padded(size)}", f"[threads][{size}] {value} over rows and steps"
        )
        return f"w.{name} + me.id * {_padded(size)}"

    # ---- the loop over time

    def _members(self) -> str:
        lines = [
            "  const Arguments &p;",
            "  const Work &w;",
            "  Member &me;",
            "  const bool by_rows;",
            "  const int64_t own, each;  // this thread's rows: own, own + each, own + 2 each, …",
            "  int64_t alive = 0;        // how many of them this step has",
        ]
        pointers = self._step_pointers()
        lines += [f"  real *{name} = nullptr;" for name in pointers]
        lines += [
            "",
            "  Loop(const Arguments &p, const Work &w, Member &me)",
            "      : p(p), w(w), me(me), by_rows(p.by_rows), own(by_rows ? me.id : 0), each(by_rows ? me.count : 1) {}",
            "  int64_t mine(int64_t rows) const { return rows > own ? (rows - own + each - 1) / each : 0; }",
            "  bool is_first() const { return by_rows || me.id == 0; }",
            "  bool any_reset(int64_t offset) const {",
            "    for (int64_t i = 0; i < alive; ++i)",
            "      if (p.reset[offset + own + i * each]) return true;",
            "    return false;",
            "  }",
            "",
        ]
        if self.numbers:
            count = len(self.numbers)
            name = self._memory("numbers", f"threads * batch * {count}", "[threads][batch] single numbers")
            lines += [
                "  real &number(int which, int64_t row) const {",
                f"    return w.{name}[(me.id * p.batch + row) * {count} + which];",
                "  }",
            ]
        if self.partials:
            lines += self._partial_members()
        return "\n".join(lines)

    def _partial_members(self) -> list[str]:
        count = len(self.partials)
        name = self._memory("partial", f"threads * batch * {count} * VL", "[threads][batch] sums over a row, under way")
        lines = [
            "  real *part(int which, int64_t row, int of) const {",
            f"    return w.{name} + ((of * p.batch + row) * {count} + which) * VL;",
            "  }",
            "  real *part(int which, int64_t row) const { return part(which, row, me.id); }",
            "  void clear_part(int which, real start) const {",
            "    for (int64_t i = 0; i < alive; ++i) store<VL>(part(which, own + i * each), set(start));",
            "  }",
        ]
        for fn, step, whole in (("sum", "total + {0}", "::sum"), ("largest", "f_maximum(total, {0})", "::max")):
            if any(op.fn == fn for op in self.partials):
                one = "load<VL>(part(which, row, of))"
                lines += [
                    f"  real {fn}_of(int which, int64_t row) const {{",
                    "    V total = load<VL>(part(which, row, by_rows ? me.id : 0));",
                    "    if (!by_rows)",
                    f"      for (int of = 1; of < me.count; ++of) total = {step.format(one)};",
                    f"    return {whole}<VL>(total);",
                    "  }",
                ]
        return lines

    def _step_pointers(self) -> list[str]:
        """Return the pointers that move from step to step."""
        made = self.pass_
        found = []
        for tensor in self._sequences():
            found.append(f"{self._sequence(tensor[0], tensor[1])}_now")
        for c in made.carried:
            name = self.names.of("state", c.name)
            found += [f"{name}_arriving", f"{name}_leaving"] if made.backward else [f"{name}_before", f"{name}_after"]
        found += [f"{self.names.of('state', s)}_before" for s in made.before] if made.backward else []
        return found

    def _sequences(self) -> list[tuple[str, int]]:
        """Return (tensor, width) of each sequence that moves with the step."""
        made = self.pass_
        places: list[Place] = [*made.reads.values(), *(p for ps in made.writes.values() for p in ps)]
        found = {p.tensor: p.width for p in places}
        found |= {c.also: c.size for c in made.carried if c.also}
        return list(found.items())

    def _steps(self) -> str:
        body = self._backward_steps() if self.pass_.backward else self._forward_steps()
        return "\n".join(f"  {line}" if line else "" for line in body)

    def _pack(self) -> list[str]:
        lines = ["if (p.pack) {"]
        for name, m in self.pass_.matrices.items():
            size, depth = self._panel(m)
            field_name = self._field(m.tensor, "pointer", m.tensor, f"[…][{m.depth}] {m.tensor}")
            how = "pack_columns" if self._is_transposed(m) else "pack_rows"
            lines += [
                "  {",
                f"    const Share share(blocks({size}), me);",
                f"    {how}(p.{field_name} + {m.start * m.depth}, {size}, {depth}, {self._packed(name)}, share.first, share.last);"
                f"  // {name}",
                "  }",
            ]
        return [*lines, "}"]

    def _zero_totals(self) -> list[str]:
        lines = []
        for value, size in self.pass_.totals.items():
            lines.append(f"std::memset({self._total(value)}, 0, {size or 1} * sizeof(real));")
        return lines

    def _pointers_at(self) -> list[str]:
        lines = []
        for tensor, width in self._sequences():
            name = self._sequence(tensor, width)
            guard = (
                f"p.{name} ? p.{name} + offset * {width} : nullptr"
                if tensor in self.pass_.optional
                else f"p.{name} + offset * {width}"
            )
            lines.append(f"{name}_now = {guard};")
        return lines

    def _call_stages(self) -> list[str]:
        stages = self.pass_.schedule.stages
        lines = [f"stage_{k}();" for k in range(len(stages))]
        if stages and not stages[-1].size:  # others may still read sums that the next step starts anew
            lines.append("if (!by_rows) barrier(me);")
        return lines

    def _copy_rows(self, lines: list[str], which: str) -> list[str]:
        """Print a loop over rows that the team shares out: `which` of them, whatever the units of a thread."""
        return [f"for (int64_t row = {which}) {{", *[f"  {line}" for line in lines], "}"]

    def _forward_steps(self) -> list[str]:
        made = self.pass_
        lines = ["void run() {", *[f"  {x}" for x in self._pack()]]
        idle = []
        for c in made.carried:
            start, last = self._carried_field(c, "start"), self._carried_field(c, "last")
            idle.append(_copy(f"p.{last} + row * {c.size}", f"p.{start} + row * {c.size}", c.size))
        lines += [f"  {x}" for x in self._copy_rows(idle, "p.rows[0] + me.id; row < p.batch; row += me.count")]
        lines += ["  barrier(me);", "  int64_t offset = 0;", "  for (int64_t t = 0; t < p.steps; ++t) {"]
        lines += ["    alive = mine(p.rows[t]);", "    if (by_rows && !alive) break;"]
        inner = self._pointers_at()
        for c in made.carried:
            name = self.names.of("state", c.name)
            every = self._field(f"{c.name} all", "pointer", f"{c.name} all", f"[rows of all steps][{c.size}] or null")
            turn = self._memory(
                f"{c.name} turn", f"2 * batch * {c.size}", f"[2][batch][{c.size}] {c.name}, without {every}"
            )
            start = self._carried_field(c, "start")
            inner += [
                f"{name}_before = t == 0 ? p.{start}",
                f"    : p.{every} ? p.{every} + (offset - p.rows[t - 1]) * {c.size}",
                f"    : w.{turn} + ((t - 1) & 1) * p.batch * {c.size};",
                f"{name}_after = p.{every} ? p.{every} + offset * {c.size} : w.{turn} + (t & 1) * p.batch * {c.size};",
            ]
        inner += self._restart([(c.name, c.size) for c in made.carried])
        inner += self._call_stages()
        leave = []
        for c in made.carried:
            name, last = self.names.of("state", c.name), self._carried_field(c, "last")
            leave.append(_copy(f"p.{last} + row * {c.size}", f"{name}_after + row * {c.size}", c.size))
        inner += [
            "const int64_t staying = t + 1 < p.steps ? p.rows[t + 1] : 0;  // the others have had their last step",
            "for (int64_t i = mine(staying); i < alive; ++i) {",
            "  const int64_t row = own + i * each;",
            "  if (!by_rows && row % me.count != me.id) continue;",
            *[f"  {x}" for x in leave],
            "}",
            "offset += p.rows[t];",
        ]
        lines += [f"    {x}" for x in inner]
        return [*lines, "  }", "}"]

    def _restart(self, states: list[tuple[str, int]]) -> list[str]:
        """Print the rows that start anew: the step then reads a copy of the states, with their initial ones."""
        if not states:
            return []
        lines = ["if (p.reset && any_reset(offset)) {"]
        copies = []
        for name, size in states:
            field_name = self._field(f"{name} initial", "pointer", f"{name} initial", f"[batch][{size}] after a reset")
            kept = self._memory(f"{name} renewed", f"batch * {size}", f"[batch][{size}] {name}, some rows anew")
            pointer = f"{self.names.of('state', name)}_before"
            source = f"(p.reset[offset + row] ? p.{field_name} : {pointer}) + row * {size}"
            copies.append(_copy(f"w.{kept} + row * {size}", source, size))
        lines += [
            "  for (int64_t i = 0; i < alive; ++i) {",
            "    const int64_t row = own + i * each;",
            "    if (!by_rows && row % me.count != me.id) continue;",
            *[f"    {x}" for x in copies],
            "  }",
        ]
        for name, size in states:
            kept = self._memory(f"{name} renewed", "", "")
            lines.append(f"  {self.names.of('state', name)}_before = w.{kept};")
        return [*lines, "  if (!by_rows) barrier(me);", "}"]

    def _backward_steps(self) -> list[str]:
        made = self.pass_
        lines = ["void run() {", *[f"  {x}" for x in self._pack()], *[f"  {x}" for x in self._zero_totals()]]
        lines += [
            "  barrier(me);",
            "  int64_t offset = 0;",
            "  for (int64_t t = 0; t < p.steps; ++t) offset += p.rows[t];",
        ]
        lines += [
            "  for (int64_t t = p.steps - 1; t >= 0; --t) {",
            "    offset -= p.rows[t];",
            "    alive = mine(p.rows[t]);",
        ]
        lines += ["    if (by_rows && !alive) continue;"]
        inner = self._pointers_at()
        for s, size in made.before.items():
            name, tensor = self.names.of("state", s), f"{s} all"
            every = self._field(tensor, "pointer", tensor, f"[rows of all steps][{size}] {s}")
            start = self._field(f"{s} start", "pointer", f"{s} start", f"[batch][{size}] {s} before the first step")
            inner.append(f"{name}_before = t == 0 ? p.{start} : p.{every} + (offset - p.rows[t - 1]) * {size};")
        enter = []
        for c in made.carried:
            name = self.names.of("state", c.name)
            turn = self._memory(
                f"d {c.name} turn", f"2 * batch * {c.size}", f"[2][batch][{c.size}] gradient of {c.name}"
            )
            last = self._carried_field(c, "last")
            inner += [
                f"{name}_arriving = w.{turn} + (t & 1) * p.batch * {c.size};",
                f"{name}_leaving = w.{turn} + ((t + 1) & 1) * p.batch * {c.size};",
            ]
            enter.append(_copy_or_zero(f"{name}_arriving + row * {c.size}", f"p.{last}", c.size))
        inner += self._restart(list(made.before.items()))
        inner += [
            "const int64_t later = t + 1 < p.steps ? p.rows[t + 1] : 0;  // the others have their last step here",
            "for (int64_t i = mine(later); i < alive; ++i) {",
            "  const int64_t row = own + i * each;",
            "  if (!by_rows && row % me.count != me.id) continue;",
            *[f"  {x}" for x in enter],
            "}",
            "if (!by_rows && later < p.rows[t]) barrier(me);",
        ]
        inner += self._call_stages()
        inner += self._renewed_gradients()
        lines += [f"    {x}" for x in inner] + ["  }", "  barrier(me);"]
        ends = []
        for c in made.carried:
            turn = self._memory(f"d {c.name} turn", "", "")
            start, last = self._carried_field(c, "start"), self._carried_field(c, "last")
            ends += [
                "if (row < p.rows[0])",
                "  " + _copy(f"p.{start} + row * {c.size}", f"w.{turn} + (p.batch + row) * {c.size}", c.size),
                "else",
                "  " + _copy_or_zero(f"p.{start} + row * {c.size}", f"p.{last}", c.size),
            ]
        lines += [f"  {x}" for x in self._copy_rows(ends, "me.id; row < p.batch; row += me.count")]
        for value, size in made.totals.items():
            name = self._field(f"sum {value}", "pointer", f"sum {value}", f"[{size or 1}] {value} over rows and steps")
            pointer = self._total(value).replace(f" + me.id * {_padded(size or 1)}", "")
            lines += [
                f"  for (int64_t u = me.id; u < {size or 1}; u += me.count) {{",
                "    real total = 0;",
                f"    for (int of = 0; of < me.count; ++of) total += ({pointer})[of * {_padded(size or 1)} + u];",
                f"    p.{name}[u] = total;",
                "  }",
            ]
        return [*lines, "}"]

    def _renewed_gradients(self) -> list[str]:
        """Print what a reset does to gradients: they go to the initial state instead of the step before."""
        lines = ["if (p.reset && any_reset(offset)) {", "  for (int64_t i = 0; i < alive; ++i) {"]
        lines += ["    const int64_t row = own + i * each;"]
        lines += ["    if (!p.reset[offset + row] || (!by_rows && row % me.count != me.id)) continue;"]
        for c in self.pass_.carried:
            field_name = self._carried_field(c, "initial")
            name = self.names.of("state", c.name)
            lines += [
                f"    for (int64_t u = 0; u < {c.size}; ++u) {{",
                f"      p.{field_name}[row * {c.size} + u] += {name}_leaving[row * {c.size} + u];",
                f"      {name}_leaving[row * {c.size} + u] = 0;",
                "    }",
            ]
        return [*lines, "  }", "  if (!by_rows) barrier(me);", "}"]

    def _entry(self) -> str:
        name = "backward" if self.pass_.backward else "forward"
        export = 'extern "C" __attribute__((visibility("default")))'
        return "\n".join(
            [
                f"{export} int64_t numbers_needed(int64_t batch, int64_t threads) {{",
                "  return Work(nullptr, batch, threads).used;",
                "}",
                f"{export} int64_t packed_needed() {{ return packed_before({len(self.pass_.matrices)}); }}",
                "",
                "namespace {",
                "struct Job {",
                "  const Arguments &p;",
                "  const Work &w;",
                "  void work(Member &me) { Loop(p, w, me).run(); }",
                "};",
                "}  // namespace",
                "",
                f"{export} void {name}(const Arguments *p, const Pool *pool, int64_t threads) {{",
                "  const Work w(p->memory, p->batch, threads);",
                "  Job job{*p, w};",
                "  run_team(job, *pool, threads);",
                "}",
                "",
            ]
        )


_POWERS = {
    1.0: "{0}",
    2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}",
    0.5: "f_sqrt({0})",
    -1.0: "set(1) / {0}",
    -0.5: "set(1) / f_sqrt({0})",
}


def _padded(size: int) -> str:
    """Return the numbers that a row of `size` takes in memory of our own, so that rows start on a cache line."""
    return str((size + 15) // 16 * 16)


def _is_exact(number: float) -> bool:
    """Return whether multiplying by the reciprocal is the same as dividing: for powers of two."""
    return number != 0 and abs(number).hex().startswith("0x1.0000000000000p")


def _copy(to: str, source: str, size: int) -> str:
    return f"std::memcpy({to}, {source}, {size} * sizeof(real));"


def _copy_or_zero(to: str, source: str, size: int) -> str:
    return (
        f"{source} ? (void)std::memcpy({to}, {source} + row * {size}, {size} * sizeof(real))"
        f" : (void)std::memset({to}, 0, {size} * sizeof(real));"
    )
