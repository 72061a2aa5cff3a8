"""One stage as C++: for vectors, a function over one register of units and the loop over blocks that calls it."""

from __future__ import annotations

from ostinato.equations.program import Op
from ostinato.unroll.native.printer.storage import Storage
from ostinato.unroll.native.printer.values import compute, load, store, store_number
from ostinato.unroll.native.stages import Product, Stage


def print_stage(storage: Storage, k: int, stage: Stage) -> str:
    """Return the member functions of stage `k`."""
    return _Vectors(storage, k, stage).text() if stage.size else _numbers(storage, k, stage)


def _numbers(storage: Storage, k: int, stage: Stage) -> str:
    """Return a stage of single numbers: every thread works them out for all of its rows."""
    made = {op.out for op in stage.ops}
    read = [a for op in stage.ops for a in op.args if isinstance(a, str) and a not in made]
    lines = [f"const V {storage.value(v)} = {_number(storage, v)};" for v in dict.fromkeys(read)]
    for op in stage.ops:
        lines += [f"const V {storage.value(op.out)} = {compute(storage, op)};", *store_number(storage, op.out)]
    return "\n".join(
        [
            f"  void stage_{k}() {{  // single numbers of each row",
            "    for (int64_t i = 0; i < alive; ++i) {",
            "      const int64_t row = own + i * each;",
            *[f"      {line}" for line in lines],
            "    }",
            "  }",
            "",
        ]
    )


def _number(storage: Storage, value: str) -> str:
    for which, op in enumerate(storage.partials):
        if op.out == value:
            return f"set({op.fn}_of({which}, row))"
    return load(storage, value)


class _Vectors:
    """A stage of vectors."""

    def __init__(self, storage: Storage, k: int, stage: Stage):
        self.storage, self.k, self.stage = storage, k, stage
        self.made = {p.out for p in stage.products} | {op.out for op in stage.ops}
        self.totals = [v for v, size in storage.pass_.totals.items() if v in self.made and size]

    def text(self) -> str:
        return "\n".join([*self._units(), "", *self._blocks(), ""])

    # ---- one register of units, for some rows

    def _units(self) -> list[str]:
        storage, stage = self.storage, self.stage
        before, inside = self._loads()
        stores = [line for value in stage.stored for line in store(storage, value)]
        before += [f"V sum_{storage.value(v)} = load<n>({storage.total(v)} + u);" for v in self.totals]
        inside += [f"const V {storage.value(op.out)} = {compute(storage, op)};" for op in stage.ops]
        inside += stores
        inside += [f"sum_{storage.value(v)} += {storage.value(v)};" for v in self.totals]
        inside += [line for op in stage.reductions for line in self._reduce(op)]
        after = [f"store<n>({storage.total(v)} + u, sum_{storage.value(v)});" for v in self.totals]
        product = ", const real *product" if stage.products else ""
        arguments = f"int64_t u, int64_t from, int64_t count{product}"
        return [
            "  template <int n>  // of the units from u on, for some rows",
            f"  inline __attribute__((always_inline)) void units_{self.k}({arguments}) const {{",
            *[f"    {line}" for line in before],
            "    for (int64_t i = 0; i < count; ++i) {",
            "      const int64_t row = own + (from + i) * each;",
            *[f"      {line}" for line in inside],
            "    }",
            *[f"    {line}" for line in after],
            "  }",
        ]

    def _loads(self) -> tuple[list[str], list[str]]:
        """Return what is read before the rows and what for each row."""
        storage, made = self.storage, self.storage.pass_
        before, inside = [], []
        for j, product in enumerate(self.stage.products):
            inside.append(f"const V {storage.value(product.out)} = load<VL>(product + ({j} * MAX_ROWS + i) * UNITS);")
        read = [a for op in (*self.stage.ops, *self.stage.reductions) for a in op.args if isinstance(a, str)]
        for value in dict.fromkeys(read):
            if value not in self.made:
                is_fixed = value in made.vectors or value in made.constants
                lines = before if is_fixed else inside
                lines.append(f"const V {storage.value(value)} = {load(storage, value)};")
        return before, inside

    def _reduce(self, op: Op) -> list[str]:
        """Return the lines that add a register to a sum over the row, lane by lane."""
        storage, which = self.storage, self.storage.partials.index(op)
        part, source = f"{storage.value(op.out)}_part", storage.value(str(op.args[0]))
        if op.fn == "sum":
            whole = f"load<VL>({part}) + ::first<n>({source}, 0)"
        else:
            whole = f"f_maximum(load<VL>({part}), ::first<n>({source}, -__builtin_inf()))"
        return [f"real *const {part} = part({which}, row);", f"store<VL>({part}, {whole});"]

    # ---- the loop over blocks

    def _blocks(self) -> list[str]:
        stage, size = self.stage, self.stage.size
        made = [value for value in stage.stored if not value.startswith("%")]
        lines = [f"  void stage_{self.k}() {{  // {size} units" + (f": {', '.join(made)}" if made else "")]
        for op in stage.reductions:
            start = "0" if op.fn == "sum" else "-__builtin_inf()"
            lines.append(f"    clear_part({self.storage.partials.index(op)}, {start});")
        lines += [f"    const Share share = by_rows ? Share(blocks({size})) : Share(blocks({size}), me);"]
        lines += ["    const Groups groups(alive);"] if stage.products else []
        lines += [f"    {line}" for line in self._operands()]
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
                lines += self._product(j, product)
        else:
            lines += ["      {", "        const int64_t from = 0, count = alive;"]
        call, argument = f"units_{self.k}", ", sums + v" if stage.products else ""
        return [
            *lines,
            "        int64_t v = 0;",
            f"        for (; v < UNITS && u + v + VL <= {size}; v += VL) {call}<VL>(u + v, from, count{argument});",
            f"        if constexpr ({size} % VL != 0)",
            f"          if (v < UNITS && u + v < {size}) {call}<{size} % VL>(u + v, from, count{argument});",
            "      }",
            "    }",
            "    if (!by_rows) barrier(me);",
            "  }",
        ]

    def _operands(self) -> list[str]:
        """Return where the products' operands stand: where they are, or copied to where their rows do not crowd."""
        depths = {f.operand: self.storage.panel(f.matrix)[1] for p in self.stage.products for f in p.factors}
        lines = []
        for operand, depth in depths.items():
            address = self.storage.address(operand)
            assert address is not None, f"{operand} stands nowhere"
            pointer, width = address
            name = f"{self.storage.value(operand)}_rows"
            room = f"((p.batch + me.count - 1) / me.count) * ({depth} + SPREAD)"
            count, note = f"(batch + threads) * ({depth} + SPREAD)", f"rows of {depth}, copied"
            copy = self.storage.memory(f"near {depth}", count, note)
            if len(depths) > 1:  # each has its own copy
                copy = self.storage.memory(f"near {depth} {len(lines)}", count, note)
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

    def _product(self, j: int, product: Product) -> list[str]:
        lines = ["        {", "          const Term terms[] = {"]
        for factor in product.factors:
            depth = self.storage.panel(factor.matrix)[1]
            panel = f"{self.storage.packed(factor.matrix)} + block * UNITS * {depth}"
            name = f"{self.storage.value(factor.operand)}_rows"
            rows = f"{name} + from * {name}_apart, {name}_apart"
            lines.append(f"              {{{rows}, {panel}, {depth}}},  // {factor.matrix} @ {factor.operand}")
        sums = f"sums + {j} * MAX_ROWS * UNITS"
        return [
            *lines,
            "          };",
            f"          product(count, {self.stage.size} - u, terms, {len(product.factors)}, {sums});",
            "        }",
        ]
