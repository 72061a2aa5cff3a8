"""What one thread does, as C++: its members, and the loop over steps that calls the stages."""

from __future__ import annotations

from ostinato.unroll.native.passes import Carried
from ostinato.unroll.native.printer.storage import Storage

_MINE = "if (!by_rows && row % me.count != me.id) continue;"


def print_members(storage: Storage) -> str:
    """Return what a thread knows: arguments, memory, which rows are its own, pointers to the step at hand."""
    lines = [
        "  const Arguments &p;",
        "  const Work &w;",
        "  Member &me;",
        "  const bool by_rows;",
        "  const int64_t own, each;  // this thread's rows: own, own + each, own + 2 each, …",
        "  int64_t alive = 0;        // how many of them this step has",
        *[f"  real *{name} = nullptr;" for name in storage.step_pointers()],
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
    return "\n".join([*lines, *_number_members(storage), *_partial_members(storage)])


def _number_members(storage: Storage) -> list[str]:
    if not storage.numbers:
        return []
    count = len(storage.numbers)
    name = storage.memory("numbers", f"threads * batch * {count}", "[threads][batch] single numbers")
    return [
        "  real &number(int which, int64_t row) const {",
        f"    return w.{name}[(me.id * p.batch + row) * {count} + which];",
        "  }",
    ]


def _partial_members(storage: Storage) -> list[str]:
    if not storage.partials:
        return []
    count = len(storage.partials)
    note = "[threads][batch] sums over a row, under way"
    name = storage.memory("partial", f"threads * batch * {count} * VL", note)
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
        if any(op.fn == fn for op in storage.partials):
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


def print_steps(storage: Storage) -> str:
    """Return the function that goes over all steps."""
    steps = _backward if storage.pass_.backward else _forward
    lines = ["void run() {", *_indent(_pack(storage)), *_indent(steps(storage)), "}"]
    return "\n".join(_indent(lines))


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]


def _pack(storage: Storage) -> list[str]:
    """Return the lines that pack matrices, the team sharing out their columns."""
    lines = ["if (p.pack) {"]
    for name, m in storage.pass_.matrices.items():
        size, depth = storage.panel(name)
        field = storage.field(m.tensor, "pointer", m.tensor, f"[…][{m.depth}] {m.tensor}")
        how = "pack_columns" if storage.is_transposed(name) else "pack_rows"
        arguments = f"p.{field} + {m.start * m.depth}, {size}, {depth}, {storage.packed(name)}"
        lines += [
            "  {",
            f"    const Share share(blocks({size}), me);",
            f"    {how}({arguments}, share.first, share.last);  // {name}",
            "  }",
        ]
    return [*lines, "}"]


def _pointers_at(storage: Storage) -> list[str]:
    """Return the lines that set pointers to the rows of step t."""
    lines = []
    for tensor, width in storage.sequences():
        name = storage.sequence(tensor, width)
        there = f"p.{name} + offset * {width}"
        if tensor in storage.pass_.optional:
            there = f"p.{name} ? {there} : nullptr"
        lines.append(f"{storage.now(tensor, width)} = {there};")
    return lines


def _call_stages(storage: Storage) -> list[str]:
    stages = storage.pass_.schedule.stages
    lines = [f"stage_{k}();" for k in range(len(stages))]
    if stages and not stages[-1].size:  # others may still read sums that the next step starts anew
        lines.append("if (!by_rows) barrier(me);")
    return lines


def _over_rows(start: str, lines: list[str]) -> list[str]:
    """Return a loop over rows of this step from the `start`-th of a thread on; the team shares them out."""
    head = [f"for (int64_t i = {start}; i < alive; ++i) {{", "  const int64_t row = own + i * each;", f"  {_MINE}"]
    return [*head, *_indent(lines), "}"]


# ---- forward


def _forward(storage: Storage) -> list[str]:
    made = storage.pass_
    idle, states, ended = [], [], []
    for c in made.carried:
        start, last = storage.carried(c, "start"), storage.carried(c, "last")
        idle.append(_copy(f"p.{last} + row * {c.size}", f"p.{start} + row * {c.size}", c.size))
    pointers = _pointers_at(storage)
    for c in made.carried:
        before, after = storage.state(c.name, "before"), storage.state(c.name, "after")
        every = storage.field(f"{c.name} all", "pointer", f"{c.name} all", f"[rows of all steps][{c.size}] or null")
        note = f"[2][batch][{c.size}] {c.name}, without {every}"
        turn = storage.memory(f"{c.name} turn", f"2 * batch * {c.size}", note)
        start, last = storage.carried(c, "start"), storage.carried(c, "last")
        states += [
            f"{before} = t == 0 ? p.{start}",
            f"    : p.{every} ? p.{every} + (offset - p.rows[t - 1]) * {c.size}",
            f"    : w.{turn} + ((t - 1) & 1) * p.batch * {c.size};",
            f"{after} = p.{every} ? p.{every} + offset * {c.size} : w.{turn} + (t & 1) * p.batch * {c.size};",
        ]
        ended.append(_copy(f"p.{last} + row * {c.size}", f"{after} + row * {c.size}", c.size))
    step = [
        "alive = mine(p.rows[t]);",
        "if (by_rows && !alive) break;",
        *pointers,
        *states,
        *_restart(storage, [(c.name, c.size) for c in made.carried]),
        *_call_stages(storage),
        "const int64_t staying = t + 1 < p.steps ? p.rows[t + 1] : 0;  // the others have had their last step",
        *_over_rows("mine(staying)", ended),
        "offset += p.rows[t];",
    ]
    return [
        "for (int64_t row = p.rows[0] + me.id; row < p.batch; row += me.count) {",
        *_indent(idle),
        "}",
        "barrier(me);",
        "int64_t offset = 0;",
        "for (int64_t t = 0; t < p.steps; ++t) {",
        *_indent(step),
        "}",
    ]


def _restart(storage: Storage, states: list[tuple[str, int]]) -> list[str]:
    """Return the lines for rows that start anew: the step then reads a copy of the states, with their initial ones."""
    if not states:
        return []
    copies, pointers = [], []
    for name, size in states:
        initial = storage.field(f"{name} initial", "pointer", f"{name} initial", f"[batch][{size}] after a reset")
        renewed = storage.memory(f"{name} renewed", f"batch * {size}", f"[batch][{size}] {name}, some rows anew")
        before = storage.state(name, "before")
        source = f"(p.reset[offset + row] ? p.{initial} : {before}) + row * {size}"
        copies.append(_copy(f"w.{renewed} + row * {size}", source, size))
        pointers.append(f"{before} = w.{renewed};")
    body = [*_over_rows("0", copies), *pointers, "if (!by_rows) barrier(me);"]
    return ["if (p.reset && any_reset(offset)) {", *_indent(body), "}"]


# ---- backward


def _backward(storage: Storage) -> list[str]:
    made = storage.pass_
    zeros = [
        f"std::memset({storage.total(value)}, 0, {size or 1} * sizeof(real));" for value, size in made.totals.items()
    ]
    pointers, enter = _pointers_at(storage), []
    for s, size in made.before.items():
        every = storage.field(f"{s} all", "pointer", f"{s} all", f"[rows of all steps][{size}] {s}")
        start = storage.field(f"{s} start", "pointer", f"{s} start", f"[batch][{size}] {s} before the first step")
        there = f"p.{every} + (offset - p.rows[t - 1]) * {size}"
        pointers.append(f"{storage.state(s, 'before')} = t == 0 ? p.{start} : {there};")
    for c in made.carried:
        turn = _turn(storage, c)
        arriving, leaving = storage.state(c.name, "arriving"), storage.state(c.name, "leaving")
        pointers += [
            f"{arriving} = {turn} + (t & 1) * p.batch * {c.size};",
            f"{leaving} = {turn} + ((t + 1) & 1) * p.batch * {c.size};",
        ]
        enter.append(_copy_or_zero(f"{arriving} + row * {c.size}", f"p.{storage.carried(c, 'last')}", c.size))
    step = [
        "offset -= p.rows[t];",
        "alive = mine(p.rows[t]);",
        "if (by_rows && !alive) continue;",
        *pointers,
        *_restart(storage, list(made.before.items())),
        "const int64_t later = t + 1 < p.steps ? p.rows[t + 1] : 0;  // the others have their last step here",
        *_over_rows("mine(later)", enter),
        "if (!by_rows && later < p.rows[t]) barrier(me);",
        *_call_stages(storage),
        *_renewed(storage),
    ]
    return [
        *zeros,
        "barrier(me);",
        "int64_t offset = 0;",
        "for (int64_t t = 0; t < p.steps; ++t) offset += p.rows[t];",
        "for (int64_t t = p.steps - 1; t >= 0; --t) {",
        *_indent(step),
        "}",
        "barrier(me);",
        *_first_gradients(storage),
        *_add_totals(storage),
    ]


def _turn(storage: Storage, c: Carried) -> str:
    """Return the pointer to the gradients of a state, those of one step and those of the next by turns."""
    note = f"[2][batch][{c.size}] gradient of {c.name}"
    return f"w.{storage.memory(f'd {c.name} turn', f'2 * batch * {c.size}', note)}"


def _renewed(storage: Storage) -> list[str]:
    """Return what a reset does to gradients: they go to the initial state instead of the step before."""
    lines = ["if (p.reset && any_reset(offset)) {", "  for (int64_t i = 0; i < alive; ++i) {"]
    lines += ["    const int64_t row = own + i * each;"]
    lines += ["    if (!p.reset[offset + row] || (!by_rows && row % me.count != me.id)) continue;"]
    for c in storage.pass_.carried:
        initial, leaving = storage.carried(c, "initial"), storage.state(c.name, "leaving")
        lines += [
            f"    for (int64_t u = 0; u < {c.size}; ++u) {{",
            f"      p.{initial}[row * {c.size} + u] += {leaving}[row * {c.size} + u];",
            f"      {leaving}[row * {c.size} + u] = 0;",
            "    }",
        ]
    return [*lines, "  }", "  if (!by_rows) barrier(me);", "}"]


def _first_gradients(storage: Storage) -> list[str]:
    """Return the lines that leave the gradients of the first states."""
    ends = []
    for c in storage.pass_.carried:
        start, last = storage.carried(c, "start"), storage.carried(c, "last")
        to = f"p.{start} + row * {c.size}"
        ends += [
            "if (row < p.rows[0])",
            "  " + _copy(to, f"{_turn(storage, c)} + (p.batch + row) * {c.size}", c.size),
            "else",
            "  " + _copy_or_zero(to, f"p.{last}", c.size),
        ]
    return ["for (int64_t row = me.id; row < p.batch; row += me.count) {", *_indent(ends), "}"]


def _add_totals(storage: Storage) -> list[str]:
    """Return the lines that add up what each thread has summed."""
    lines = []
    for value, size in storage.pass_.totals.items():
        name = storage.field(f"sum {value}", "pointer", f"sum {value}", f"[{size or 1}] {value} over rows and steps")
        one = f"({storage.totals(value)})[of * {storage.total_width(value)} + u]"
        lines += [
            f"for (int64_t u = me.id; u < {size or 1}; u += me.count) {{",
            "  real total = 0;",
            f"  for (int of = 0; of < me.count; ++of) total += {one};",
            f"  p.{name}[u] = total;",
            "}",
        ]
    return lines


def _copy(to: str, source: str, size: int) -> str:
    return f"std::memcpy({to}, {source}, {size} * sizeof(real));"


def _copy_or_zero(to: str, source: str, size: int) -> str:
    return (
        f"{source} ? (void)std::memcpy({to}, {source} + row * {size}, {size} * sizeof(real))"
        f" : (void)std::memset({to}, 0, {size} * sizeof(real));"
    )
