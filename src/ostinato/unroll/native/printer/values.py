"""One value as C++: how it is read, computed and left in memory."""

from __future__ import annotations

import math

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Op
from ostinato.unroll.native.printer.lines import plus
from ostinato.unroll.native.printer.storage import Rows, Storage

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_POWERS = {
    1.0: "{0}",
    2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}",
    0.5: "f_sqrt({0})",
    -1.0: "set(1) / {0}",
    -0.5: "set(1) / f_sqrt({0})",
}


def is_fixed(storage: Storage, value: str) -> bool:
    """Return whether a value is the same for all rows."""
    return value in storage.pass_.vectors or value in storage.pass_.constants


def load(storage: Storage, value: str) -> str:
    """Return the expression that reads a vector, or a single number for all units."""
    made, size = storage.pass_, storage.pass_.schedule.sizes[value]
    if value in made.constants:
        return f"set(static_cast<real>({storage.argument(value, 'a constant', 'constant')}))"
    if value in made.vectors:
        place = made.vectors[value]
        name = storage.argument(place.tensor, "[…]")
        return _read(plus(name, place.start, "unit")) if size else f"set({name}[{place.start}])"
    if value in storage.numbers:
        return f"set({storage.number(value)})"
    rows, place = storage.place(value), made.reads.get(value)
    is_optional = place is not None and place.tensor in made.optional
    if not size:
        number = f"*({rows.at()})"
        return f"set({rows.pointer} ? {number} : 0)" if is_optional else f"set({number})"
    text = _read_if(rows) if is_optional else _read(rows.at("unit"))
    carried = storage.sources.get(value)
    if carried and carried.also:
        text += f" + {_read_if(Rows(storage.now(carried.also, carried.size), 0, carried.size))}"
    return text


def _read(pointer: str) -> str:
    return f"load<LANES>({pointer})"


def _read_if(rows: Rows) -> str:
    """Return what is zero where there are no rows."""
    return f"load_if<LANES>({rows.pointer}, {rows.distance('unit')})"


def compute(storage: Storage, op: Op) -> str:
    """Return the expression of an operation."""
    args = [storage.value(a) if isinstance(a, str) else _number(a) for a in op.args]
    last = op.args[-1]
    match op.fn:
        case "copy":
            return args[0]
        case "neg":
            return f"-{args[0]}"
        case "div" if isinstance(last, float) and _is_exact(last):
            return f"{args[0]} * {_number(1 / last)}"
        case "pow" if isinstance(last, float) and last in _POWERS:
            return _POWERS[last].format(args[0])
    if op.fn in _INFIX:
        return f"{args[0]} {_INFIX[op.fn]} {args[1]}"
    assert op.fn in FUNCTIONS, op
    return f"f_{op.fn}({', '.join(args)})"


def _number(number: float) -> str:
    if math.isinf(number):
        return f"set({'-' if number < 0 else ''}__builtin_inf())"
    return f"set({number!r})".replace(".0)", ")")


def _is_exact(number: float) -> bool:
    """Return whether multiplying by the reciprocal is the same as dividing: for powers of two."""
    return number != 0 and abs(number).hex().startswith("0x1.0000000000000p")


def store(storage: Storage, value: str) -> list[str]:
    """Return the lines that leave a vector in memory, wherever it is wanted."""
    made = storage.pass_
    found = [(storage.result_place(c), False) for c in storage.results.get(value, ())]
    found += [(storage.sequence_place(p), p.tensor in made.optional) for p in made.writes.get(value, ())]
    found += [(storage.place(value), False)] if value in made.schedule.buffers else []
    return [
        f"{f'if ({rows.pointer}) ' if optional else ''}store<LANES>({rows.at('unit')}, {storage.value(value)});"
        for rows, optional in found
    ]


def store_number(storage: Storage, value: str) -> list[str]:
    """Return the lines that leave a single number in memory; one thread writes what all of them have."""
    made, name = storage.pass_, f"{storage.value(value)}[0]"
    lines = [f"{storage.number(value)} = {name};"]
    for place in made.writes.get(value, ()):
        rows = storage.sequence_place(place)
        guard = f" && {rows.pointer}" if place.tensor in made.optional else ""
        lines.append(f"if (is_first(){guard}) *({rows.at()}) = {name};")
    if value in made.totals:
        lines.append(f"if (is_first()) *({storage.own_total(value)}) += {name};")
    return lines
