"""What a loop does besides its stages, as C++: `source/loop.h` says in which order.

Matrices are packed; at each step pointers are set; rows that start anew, that end or that have not begun are copied.
"""

from __future__ import annotations

from ostinato.unroll.native.printer.lines import block, times
from ostinato.unroll.native.printer.storage import Storage


def print_members(storage: Storage) -> list[str]:
    """Return what a thread knows: arguments, memory and pointers to the step at hand."""
    return [
        "const Arguments &args;",
        "const Panels &panels;",
        "const Work &work;",
        *[f"real *{name} = nullptr;" for name in storage.step_pointers()],
        "",
        "Loop(const Arguments &args, const Panels &panels, const Work &work, Member &me)",
        f"    : Thread(args, me, {str(storage.pass_.waits).lower()}), args(args), panels(panels), work(work) {{}}",
        "",
    ]


def print_steps(storage: Storage) -> list[str]:
    """Return the functions that `loop.h` calls."""
    made = storage.pass_
    functions = [
        block("void pack_matrices() const", _pack(storage)),
        block("void go_to(int64_t step)", _go_to(storage)),
        block("void stages()", [f"stage_{k}();" for k in range(len(made.schedule.stages))] + _wait(storage)),
        *_renew(storage),
        *(_backward if made.backward else _forward)(storage),
        block("void run()", [f"run_{'backward' if made.backward else 'forward'}(*this);"]),
    ]
    return [line for function in functions for line in (*function, "")][:-1]


def _pack(storage: Storage) -> list[str]:
    """Return the lines that pack matrices, the team sharing out their columns."""
    lines = []
    for p in storage.panels:
        m = storage.pass_.matrices[p.matrix]
        tensor = storage.argument(m.tensor, f"[…][{m.depth}]")
        start = f" + {m.start * m.depth}" if m.start else ""
        how = "pack_columns" if p.transposed else "pack_rows"
        lines.append(f"pack({how}, {tensor}{start}, {p.size}, {p.depth}, panels.{p.name});")
    return lines


def _wait(storage: Storage) -> list[str]:
    stages = storage.pass_.schedule.stages
    # others may still read sums that the next step starts anew
    return ["complete_rows();"] if stages and not stages[-1].size else []


def _go_to(storage: Storage) -> list[str]:
    """Return the lines that set pointers to the rows of a step."""
    lines = []
    for tensor, width in storage.sequences():
        start = storage.sequence(tensor, width)
        there = f"{start} + {times('offset', width)}"
        there = f"{start} ? {there} : nullptr" if tensor in storage.pass_.optional else there
        lines.append(f"{storage.now(tensor, width)} = {there};")
    return [*lines, *(_go_back if storage.pass_.backward else _go_on)(storage)]


def _go_on(storage: Storage) -> list[str]:
    """Return where a forward step reads its states and leaves them."""
    lines = []
    for c in storage.pass_.carried:
        before, after = storage.place(c.source).pointer, storage.result_place(c).pointer
        start, every, turn = storage.carried(c, "start"), storage.every(c.name, c.size), storage.turn(c)
        lines += [
            f"{before} = step == 0 ? {start}",
            f"    : {every} ? {every} + (offset - args.rows[step - 1]) * {c.size}",
            f"    : {turn} + (step - 1) % 2 * args.batch * {c.size};",
            f"{after} = {every} ? {every} + offset * {c.size} : {turn} + step % 2 * args.batch * {c.size};",
        ]
    return lines


def _go_back(storage: Storage) -> list[str]:
    """Return where a backward step reads states and gradients, and leaves gradients."""
    lines = []
    for s, size in storage.pass_.before.items():
        start = storage.argument(f"{s} start", f"[batch][{size}] {s} before the first step")
        there = f"{storage.every(s, size)} + (offset - args.rows[step - 1]) * {size}"
        lines.append(f"{storage.state(s, 'before')} = step == 0 ? {start} : {there};")
    for c in storage.pass_.carried:
        turn = storage.turn(c)
        lines += [
            f"{storage.place(c.source).pointer} = {turn} + step % 2 * args.batch * {c.size};",
            f"{storage.result_place(c).pointer} = {turn} + (step + 1) % 2 * args.batch * {c.size};",
        ]
    return lines


def _renew(storage: Storage) -> list[list[str]]:
    """Return the functions for rows that start anew: the step reads a copy of the states, with their initial ones."""
    made = storage.pass_
    states = made.before if made.backward else {c.name: c.size for c in made.carried}
    copies, pointers = [], []
    for name, size in states.items():
        initial = storage.argument(f"{name} initial", f"[batch][{size}] {name} after a reset")
        renewed = storage.memory(f"{name} renewed", f"batch * {size}", f"[batch][{size}] {name}, some rows anew")
        before = storage.state(name, "before")
        copies.append(f"copy_row({renewed}, is_reset(row) ? {initial} : {before}, row, {size});")
        pointers.append(f"{before} = {renewed};")
    row = "int64_t row" if copies else "int64_t"
    return [block(f"void renew({row}) const", copies), block("void use_renewed()", pointers)]


def _forward(storage: Storage) -> list[list[str]]:
    """Return what is done with a row that has no step at all, and after a row's last step."""
    idle, ended = [], []
    for c in storage.pass_.carried:
        last, start = storage.carried(c, "last"), storage.carried(c, "start")
        idle.append(f"copy_row({last}, {start}, row, {c.size});")
        ended.append(f"copy_row({last}, {storage.result_place(c).pointer}, row, {c.size});")
    return [block("void skip(int64_t row) const", idle), block("void leave(int64_t row) const", ended)]


def _backward(storage: Storage) -> list[list[str]]:
    """Return where gradients enter at a row's last step and leave at its first, and sums over rows and steps."""
    made = storage.pass_
    enter, leave, initial = [], [], []
    for c in made.carried:
        arriving, leaving = storage.place(c.source).pointer, storage.result_place(c).pointer
        start, last = storage.carried(c, "start"), storage.carried(c, "last")
        enter.append(f"copy_row({arriving}, {last}, row, {c.size});")
        made_here = f"{storage.turn(c)} + args.batch * {c.size}"
        leave.append(f"copy_row({start}, has_steps ? {made_here} : {last}, row, {c.size});")
        initial.append(f"move_row({storage.carried(c, 'initial')}, {leaving}, row, {c.size});")
    zero, add = [], []
    for value, size in made.totals.items():
        width = storage.total_width(value)
        to = storage.argument(f"sum {value}", f"[{size or 1}] {storage.value(value)} over rows and steps")
        zero.append(f"std::memset({storage.own_total(value)}, 0, {width} * sizeof(real));")
        add.append(f"add_up({storage.total(value)}, {size or 1}, {width}, {to});")
    return [
        block("void clear_sums() const", zero),
        block("void enter(int64_t row) const", enter),
        block("void leave(int64_t row, bool has_steps) const", leave),
        block("void leave_initial(int64_t row) const", initial),
        block("void add_up_sums() const", add),
    ]
