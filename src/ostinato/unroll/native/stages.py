"""A step cut into stages: inside one, every unit minds its own numbers; between them, a row must be complete.

A stage goes over the units of one size, a block at a time: products first, whose sums are still in registers or the
nearest cache when the operations that need them follow. A product's operand and the numbers of a sum over a row are
complete only when their stage has ended. Nothing here knows what the stages will run on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Op, Program


@dataclass(frozen=True)
class Factor:
    """A matrix and the operand it meets; `transposed` where its columns do."""

    matrix: str
    operand: str
    transposed: bool


@dataclass(frozen=True)
class Product:
    """One or several products, added up."""

    out: str
    factors: tuple[Factor, ...]


@dataclass
class Stage:
    """What is done for all units of one size; for single numbers `size` is 0, and there is one of each in a row."""

    size: int
    products: list[Product] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    reductions: list[Op] = field(default_factory=list)
    """Sums and largest numbers over a row; they begin here and are complete in the next stage of single numbers."""
    stored: list[str] = field(default_factory=list)
    """Values that later stages, products or the caller read from memory."""


@dataclass(frozen=True)
class Schedule:
    """The stages of a step in order, and which values pass between them through memory of the loop's own."""

    program: Program
    stages: tuple[Stage, ...]
    buffers: dict[str, int]
    """Value -> its size, for what later stages of the same step read."""
    sizes: dict[str, int]
    """How many numbers each value has in a row; 0 for a single number."""

    @property
    def barriers(self) -> int:
        """How often a step waits until rows are complete."""
        return sum(1 for stage in self.stages if stage.size)


def schedule(program: Program, stored: Iterable[str], only_summed: Iterable[str] = ()) -> Schedule:
    """Cut a step into stages. `stored` are the values that the caller wants in memory, besides the outputs.

    Outputs that are `only_summed`, over rows and steps, have no place outside the loop.
    """
    outputs = {value for _, value in program.outputs}
    kept, carried = outputs | set(stored), outputs - set(only_summed)
    items = [piece for item in _gathered(program, kept) for piece in _in_two(item)]
    levels = _levels(program, items)
    _sink(program, items, levels, carried)
    stages: dict[tuple[int, int], Stage] = {}
    for item in items:
        size = _size(program, item.out)
        if isinstance(item, Op) and _is_reduction(item):
            source = str(item.args[0])
            at = (levels[item.out] - 1, _size(program, source))
            stages.setdefault(at, Stage(at[1])).reductions.append(item)
            continue
        stage = stages.setdefault((levels[item.out], size), Stage(size))
        if isinstance(item, Product):
            stage.products.append(item)
        else:
            stage.ops.append(item)
    # single numbers come first: the vectors of the same level read them
    ordered = tuple(stages[at] for at in sorted(stages))
    buffers = _buffers(program, ordered, carried)
    for stage in ordered:
        made = [p.out for p in stage.products] + [op.out for op in stage.ops]
        stage.stored = [name for name in made if name in kept or name in buffers]
    names = [*program.by_name, *(item.out for item in items)]
    sizes = {name: _size(program, name) for name in names if len(program.shape(_base(name))) < 2}
    return Schedule(program, ordered, buffers, sizes)


def _in_two(item: Product | Op) -> list[Product | Op]:
    """Return a sum over a row as what its units add to, and the number that is known when all have."""
    if isinstance(item, Product) or not _is_reduction(item):
        return [item]
    part = f"{item.out} part"
    return [Op(part, item.fn, item.args, ()), Op(item.out, "copy", (part,), ())]


def _gathered(program: Program, kept: set[str]) -> list[Product | Op]:
    """Return the operations in order, products that are only added up gathered into one."""
    inner = {
        a: op.out
        for op in program.ops
        if op.fn == "add"
        for a in op.args
        if isinstance(a, str) and program.uses[a] == 1 and a not in kept
    }
    items: list[Product | Op] = []
    gone: set[str] = set()
    for op in reversed(program.ops):
        if op.out in gone:
            continue
        if op.fn in ("matmul", "matmul_t"):
            items.append(Product(op.out, (_factor(op),)))
            continue
        terms = _terms(program, op, inner) if op.fn == "add" and op.out not in inner else []
        products = [t for t in terms if isinstance(program.by_name.get(t), Op) and _is_product(program.by_name[t])]  # type: ignore[arg-type]
        if len(products) < 2 or not all(p in inner for p in products):
            items.append(op)
            continue
        factors = tuple(_factor(program.by_name[p]) for p in products)  # type: ignore[arg-type]
        rest = [t for t in terms if t not in products]
        chain, gathered = _chain(op, rest, products[0])
        items += reversed(chain)
        items.append(Product(gathered, factors))
        gone |= {*products, *_between(program, op, inner)}
    return items[::-1]


def _is_product(op: Op) -> bool:
    return op.fn in ("matmul", "matmul_t")


def _factor(op: Op) -> Factor:
    return Factor(str(op.args[0]), str(op.args[1]), op.fn == "matmul_t")


def _terms(program: Program, op: Op, inner: dict[str, str]) -> list:
    terms, waiting = [], list(reversed(op.args))
    while waiting:
        arg = waiting.pop()
        entry = program.by_name.get(arg) if isinstance(arg, str) else None
        if isinstance(entry, Op) and entry.fn == "add" and arg in inner and entry.shape == op.shape:
            waiting += reversed(entry.args)
        else:
            terms.append(arg)
    return terms


def _between(program: Program, op: Op, inner: dict[str, str]) -> set[str]:
    """Return the additions that a gathered sum no longer needs."""
    found, waiting = set(), [a for a in op.args if isinstance(a, str)]
    while waiting:
        arg = waiting.pop()
        entry = program.by_name[arg]
        if isinstance(entry, Op) and entry.fn == "add" and arg in inner and entry.shape == op.shape:
            found.add(arg)
            waiting += [a for a in entry.args if isinstance(a, str)]
    return found


def _chain(op: Op, rest: list, product: str) -> tuple[list[Op], str]:
    """Return the additions of a gathered product and the other terms, and the name of the product."""
    if not rest:
        return [], op.out
    chain, total = [], product
    for k, term in enumerate(rest):
        out = op.out if k == len(rest) - 1 else f"{op.out}+{k}"
        chain.append(Op(out, "add", (total, term), op.shape))
        total = out
    return chain, product


def _levels(program: Program, items: list[Product | Op]) -> dict[str, int]:
    """Return after how many completed rows each value can be known."""
    levels = {i.name: 0 for i in program.inputs}
    inputs = set(levels)
    for item in items:
        if isinstance(item, Product):
            operands = [f.operand for f in item.factors]
            levels[item.out] = max(0 if o in inputs else levels[o] + 1 for o in operands)
        elif _is_reduction(item):
            levels[item.out] = levels[str(item.args[0])] + 1
        else:
            levels[item.out] = max((levels[a] for a in item.args if isinstance(a, str)), default=0)
    return levels


def _sink(program: Program, items: list[Product | Op], levels: dict[str, int], carried: set[str]) -> None:
    """Move an operation to the stage that needs it, unless more would then have to pass between stages."""
    in_memory = {i.name for i in program.inputs} | carried
    readers: dict[str, list[Product | Op]] = {}
    for item in items:
        args = [f.operand for f in item.factors] if isinstance(item, Product) else item.args
        for a in args:
            if isinstance(a, str):
                readers.setdefault(a, []).append(item)
    for item in reversed(items):
        if isinstance(item, Product) or _is_reduction(item) or item.out in carried or item.out not in readers:
            continue
        users = readers[item.out]
        if any(isinstance(u, Product) or _is_reduction(u) for u in users):
            continue
        target = min(levels[u.out] for u in users)
        passing = [a for a in item.args if isinstance(a, str) and a not in in_memory and _size(program, a)]
        alone = [a for a in passing if not any(u is not item and levels[u.out] >= target for u in readers[a])]
        if target > levels[item.out] and len(set(alone)) <= 1 and all(len(readers[a]) == 1 for a in alone):
            levels[item.out] = target


def _buffers(program: Program, stages: tuple[Stage, ...], carried: set[str]) -> dict[str, int]:
    """Return values that a later stage reads, or a product, and that have no place outside the loop."""
    at: dict[str, int] = {}
    for k, stage in enumerate(stages):
        at |= {p.out: k for p in stage.products} | {op.out: k for op in stage.ops}
    found: dict[str, int] = {}
    for k, stage in enumerate(stages):
        vectors = [a for op in (*stage.ops, *stage.reductions) for a in op.args if isinstance(a, str)]
        read = {a for a in vectors if a in at and at[a] != k}
        read |= {f.operand for product in stage.products for f in product.factors if f.operand in at}
        found |= {name: _size(program, name) for name in read if _size(program, name)}
    return {name: found[name] for name in at if name in found and name not in carried}


def _base(name: str) -> str:
    """Return the value of the program that one of a stage's own values is made for."""
    return name.split("+")[0].removesuffix(" part")


def _size(program: Program, name: str) -> int:
    """Return how many numbers a value has in a row, 0 for a single number."""
    shape = program.shape(_base(name))
    return int(shape[0]) if shape else 0


def _is_reduction(op: Op) -> bool:
    return op.fn in FUNCTIONS and FUNCTIONS[op.fn].kind == "reduction"
