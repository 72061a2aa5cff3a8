"""One value as C++: how it is read, computed and left in memory."""

from __future__ import annotations

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Op
from ostinato.unroll.native.printer.storage import Storage

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_POWERS = {
    1.0: "{0}",
    2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}",
    0.5: "f_sqrt({0})",
    -1.0: "set(1) / {0}",
    -0.5: "set(1) / f_sqrt({0})",
}


def load(storage: Storage, value: str) -> str:
    """Return the expression that reads a vector, or a single number for all units."""
    made, size = storage.pass_, storage.pass_.schedule.sizes[value]
    if value in made.constants:
        return f"set(static_cast<real>(p.{storage.field(value, 'constant', value, value)}))"
    if value in made.vectors:
        place = made.vectors[value]
        name = storage.field(place.tensor, "pointer", place.tensor, f"{place.tensor}")
        if not size:
            return f"set(p.{name}[{place.start}])"
        return f"load<n>(p.{name} + {place.start} + u)" if place.start else f"load<n>(p.{name} + u)"
    if value in storage.numbers:
        return f"set(number({storage.numbers[value]}, row))"
    address = storage.address(value)
    assert address is not None, f"{value} stands nowhere"
    pointer, width = address
    if not size:
        return f"set(({pointer})[row * {width}])"
    text = f"load<n>({pointer} + row * {width} + u)"
    place = made.reads.get(value)
    if made.backward and place and place.tensor in made.optional and place.tensor.startswith("d "):
        text = f"{storage.now(place.tensor, place.width)} ? {text} : V{{}}"
    carried = storage.sources.get(value)
    if carried and carried.also:
        pointer = storage.now(carried.also, carried.size)
        text += f" + ({pointer} ? load<n>({pointer} + row * {carried.size} + u) : V{{}})"
    return text


def compute(storage: Storage, op: Op) -> str:
    """Return the expression of an operation."""
    args = [storage.value(a) if isinstance(a, str) else f"set(real({a!r}))" for a in op.args]
    last = op.args[-1]
    match op.fn:
        case "copy" | "fill":
            return args[0]
        case "neg":
            return f"-{args[0]}"
        case "div" if isinstance(last, float) and _is_exact(last):
            return f"{args[0]} * set(real({1 / last!r}))"
        case "pow" if isinstance(last, float) and last in _POWERS:
            return _POWERS[last].format(args[0])
    if op.fn in _INFIX:
        return f"{args[0]} {_INFIX[op.fn]} {args[1]}"
    assert op.fn in FUNCTIONS, op
    return f"f_{op.fn}({', '.join(args)})"


def _is_exact(number: float) -> bool:
    """Return whether multiplying by the reciprocal is the same as dividing: for powers of two."""
    return number != 0 and abs(number).hex().startswith("0x1.0000000000000p")


def store(storage: Storage, value: str) -> list[str]:
    """Return the lines that leave a vector in memory, wherever it is wanted."""
    made, name, lines = storage.pass_, storage.value(value), []
    for c in storage.results.get(value, ()):
        pointer = storage.state(c.name, "leaving" if made.backward else "after")
        lines.append(f"store<n>({pointer} + row * {c.size} + u, {name});")
    for place in made.writes.get(value, ()):
        pointer = storage.now(place.tensor, place.width, written=True)
        guard = f"if ({pointer}) " if place.tensor in made.optional else ""
        start = f" + {place.start}" if place.start else ""
        lines.append(f"{guard}store<n>({pointer} + row * {place.width}{start} + u, {name});")
    if value in made.schedule.buffers:
        address = storage.address(value)
        assert address is not None, f"{value} stands nowhere"
        lines.append(f"store<n>({address[0]} + row * {address[1]} + u, {name});")
    return lines


def store_number(storage: Storage, value: str) -> list[str]:
    """Return the lines that leave a single number in memory; one thread writes what all of them have."""
    made, name = storage.pass_, f"{storage.value(value)}[0]"
    lines = [f"number({storage.numbers[value]}, row) = {name};"]
    for place in made.writes.get(value, ()):
        pointer = storage.now(place.tensor, place.width, written=True)
        guard = f" && {pointer}" if place.tensor in made.optional else ""
        lines.append(f"if (is_first(){guard}) {pointer}[row * {place.width} + {place.start}] = {name};")
    if value in made.totals:
        lines.append(f"if (is_first()) *({storage.total(value)}) += {name};")
    return lines
