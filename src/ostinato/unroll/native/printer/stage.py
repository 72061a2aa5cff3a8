"""One stage as C++: for vectors, a function over one register of units and the loop over blocks that calls it."""

from __future__ import annotations

from collections import Counter

from ostinato.equations.program import Op
from ostinato.unroll.native.printer.lines import block, comment
from ostinato.unroll.native.printer.storage import Storage
from ostinato.unroll.native.printer.values import compute, is_fixed, load, store, store_number
from ostinato.unroll.native.stages import Product, Stage

_ROW = "const int64_t row = own + {} * each;"
_ALONG = ("unit = first; unit < whole; unit += VL", "unit")
_WIDEST = 16
"""No register has more numbers: a size that this divides needs no part of one."""


def print_stage(storage: Storage, k: int, stage: Stage) -> list[str]:
    """Return the member functions of stage `k`."""
    return _Vectors(storage, k, stage).lines() if stage.size else _numbers(storage, k, stage)


def _numbers(storage: Storage, k: int, stage: Stage) -> list[str]:
    """Return a stage of single numbers: every thread works them out for all of its rows."""
    made = {op.out for op in stage.ops} | storage.partials.keys()
    read = dict.fromkeys(a for op in stage.ops for a in op.args if isinstance(a, str) and a not in made)
    lines = [f"const V {storage.value(v)} = {load(storage, v)};" for v in read]
    for op in stage.ops:
        lines += [f"const V {storage.value(op.out)} = {_number(storage, op)};", *store_number(storage, op.out)]
    loop = block("for (int64_t nth = 0; nth < alive; ++nth)", [_ROW.format("nth"), *lines])
    return [f"// {', '.join(storage.value(op.out) for op in stage.ops)}", *block(f"void stage_{k}() const", loop), ""]


def _number(storage: Storage, op: Op) -> str:
    source = op.args[0]
    if isinstance(source, str) and source in storage.partials:
        return f"set({storage.partials[source]}_of({storage.parts(source)}, row))"
    return compute(storage, op)


class _Vectors:
    """A stage of vectors."""

    def __init__(self, storage: Storage, k: int, stage: Stage):
        self.storage, self.k, self.stage = storage, k, stage
        self.made = {p.out for p in stage.products} | {op.out for op in stage.ops}
        self.totals = [v for v, size in storage.pass_.totals.items() if v in self.made and size]

    def lines(self) -> list[str]:
        stored = ", ".join(self.storage.value(v) for v in self.stage.stored)
        about = comment(f"{self.stage.size} units: {stored}" if stored else f"{self.stage.size} units")
        return [*about, *self._units(), "", *block(f"void stage_{self.k}()", self._blocks()), ""]

    # ---- one register of units, for some rows

    def _units(self) -> list[str]:
        storage, stage = self.storage, self.stage
        sums = {v: storage.value(f"sum of {storage.value(v)}") for v in self.totals}
        before, inside = self._loads()
        before += [f"V {sums[v]} = load<LANES>({storage.own_total(v)} + unit);" for v in self.totals]
        inside += [f"const V {storage.value(op.out)} = {compute(storage, op)};" for op in stage.ops]
        inside += [line for value in stage.stored for line in store(storage, value)]
        inside += [f"{sums[v]} += {storage.value(v)};" for v in self.totals]
        inside += [line for op in stage.reductions for line in self._reduce(op)]
        after = [f"store<LANES>({storage.own_total(v)} + unit, {sums[v]});" for v in self.totals]
        product = ", const real *product" if stage.products else ""
        arguments = f"int64_t unit, int64_t from, int64_t count{product}"
        rows = block("for (int64_t nth = 0; nth < count; ++nth)", [_ROW.format("(from + nth)"), *inside])
        head = f"OSTINATO_MEMBER void units_{self.k}({arguments}) const"
        return ["template <int LANES>", *block(head, [*before, *rows, *after])]

    def _loads(self) -> tuple[list[str], list[str]]:
        """Return what is read before the rows and what for each row."""
        storage = self.storage
        before, inside = [], []
        for j, product in enumerate(self.stage.products):
            nth = f"({_rows(j)} + nth)" if j else "nth"
            inside.append(f"const V {storage.value(product.out)} = load<VL>(product + {nth} * UNITS);")
        read = [a for op in (*self.stage.ops, *self.stage.reductions) for a in op.args if isinstance(a, str)]
        for value in dict.fromkeys(read):
            if value not in self.made:
                lines = before if is_fixed(storage, value) else inside
                lines.append(f"const V {storage.value(value)} = {load(storage, value)};")
        return before, inside

    def _reduce(self, op: Op) -> list[str]:
        """Return the lines that add a register to a sum over the row, lane by lane."""
        storage = self.storage
        part, source = storage.value(op.out), storage.value(str(op.args[0]))
        if op.fn == "sum":
            whole = f"load<VL>({part}) + ::first<LANES>({source}, 0)"
        else:
            whole = f"f_maximum(load<VL>({part}), ::first<LANES>({source}, -__builtin_inf()))"
        pointer = f"real *const {part} = part({storage.parts(op.out)}, row);"
        return [pointer, f"store<VL>({part}, {whole});"]

    # ---- the loop over blocks

    def _blocks(self) -> list[str]:
        stage, storage = self.stage, self.storage
        start = {"sum": "0", "largest": "-__builtin_inf()"}
        lines = [f"clear({storage.parts(op.out)}, {start[op.fn]});" for op in stage.reductions]
        lines += [f"const Share blocks = share({stage.size});"]
        if not stage.products:
            return [*lines, *self._streamed(), "complete_rows();"]
        lines += [*self._operands(), "const Groups groups(alive);"]
        lines += [f"alignas(64) real sums[{_rows(len(stage.products))} * UNITS];"]
        group = ["const int64_t from = groups.start(group), count = groups.rows(group);"]
        group += [line for j, product in enumerate(stage.products) for line in self._product(j, product)]
        group += self._registers("from, count, sums + lane")
        body = block("for (int64_t group = 0; group < groups.count; ++group)", group)
        head = "for (int64_t block = blocks.first; block < blocks.last; ++block)"
        return [*lines, *block(head, ["const int64_t unit = block * UNITS;", *body]), "complete_rows();"]

    def _streamed(self) -> list[str]:
        """Return the loop over rows, and in each over its units: as they stand in memory, which is fetched ahead.

        The backward pass goes from the last to the first, for its steps do.
        """
        size, call = self.stage.size, f"units_{self.k}"
        ends = f"blocks.last * UNITS < {size} ? blocks.last * UNITS : {size}"
        lines = [f"const int64_t first = blocks.first * UNITS, last = {ends};"]
        lines += ["const int64_t whole = first + (last - first) / VL * VL;"]
        is_backward = self.storage.pass_.backward
        along = ("unit = whole; unit > first; unit -= VL", "unit - VL") if is_backward else _ALONG
        units = [f"for (int64_t {along[0]}) {call}<VL>({along[1]}, nth, 1);"]
        rest = []
        if size % _WIDEST:
            rest = [f"if constexpr ({size} % VL != 0)", f"  if (whole < last) {call}<{size} % VL>(whole, nth, 1);"]
        if is_backward:
            return [*lines, *block("for (int64_t nth = alive - 1; nth >= 0; --nth)", [*rest, *units])]
        return [*lines, *block("for (int64_t nth = 0; nth < alive; ++nth)", [*units, *rest])]

    def _registers(self, arguments: str) -> list[str]:
        """Return the calls for the units of a block: whole registers, and what is left at the end of a row."""
        size, call = self.stage.size, f"units_{self.k}"
        whole = f"for (; lane < UNITS && unit + lane + VL <= {size}; lane += VL)"
        lines = ["int64_t lane = 0;", f"{whole} {call}<VL>(unit + lane, {arguments});"]
        if size % _WIDEST == 0:
            return lines
        rest = f"if (lane < UNITS && unit + lane < {size}) {call}<{size} % VL>(unit + lane, {arguments});"
        return [*lines, f"if constexpr ({size} % VL != 0)", f"  {rest}"]

    def _operands(self) -> list[str]:
        """Return where the products' operands stand: where they are, or copied to where their rows do not crowd."""
        factors = [f for p in self.stage.products for f in p.factors]
        depths = {f.operand: self.storage.panels_of(f.matrix, f.transposed).depth for f in factors}
        lines, known = [], Counter[int]()
        for operand, depth in depths.items():
            known[depth] += 1  # each operand of a stage has its own copy
            count, note = f"copies(batch, threads, {depth})", f"rows of {depth}, copied"
            near = self.storage.memory(f"near {depth} {known[depth]}", count, note)
            rows = self.storage.place(operand)
            lines.append(
                f"const Operand {self._rows_of(operand)} = operand({rows.first}, {rows.width}, {depth}, {near});"
            )
        return lines

    def _rows_of(self, operand: str) -> str:
        return self.storage.value(f"{self.storage.value(operand)} rows")

    def _product(self, j: int, product: Product) -> list[str]:
        storage = self.storage
        name, terms, sides = storage.value(product.out), [], []
        for factor in product.factors:
            panels = storage.panels_of(factor.matrix, factor.transposed)
            terms.append(f"{self._rows_of(factor.operand)}.term(from, panels.{panels.name}, block, {panels.depth}),")
            sides.append(f"{factor.matrix}{'ᵀ' if factor.transposed else ''} @ {storage.value(factor.operand)}")
        call = f"product(count, {self.stage.size} - unit, {name}_terms, {len(terms)}, sums"
        return [
            *comment(f"{name} = {' + '.join(sides)}"),
            *block(f"const Term {name}_terms[] =", terms)[:-1],
            "};",
            f"{call}{f' + {_rows(j)} * UNITS' if j else ''});",
        ]


def _rows(products: int) -> str:
    """Return how many rows of sums so many products have."""
    return "MAX_ROWS" if products == 1 else f"{products} * MAX_ROWS"
