"""What a forward loop keeps for the backward one: the fewest numbers from which the rest follows without a product.

States are kept in any case. A minimum cut through the values' dependencies finds what else: products and sums over a
row are not computed again; all other operations are, since a number costs more to fetch than to compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import PRODUCTS, Input, Program

_SOURCE, _SINK, _NEVER = "\0from", "\0to", 10**12


def smallest_cut(program: Program, needed: Iterable[str], free: Iterable[str], sizes: Mapping[str, int]) -> list[str]:
    """Return values to keep so that all `needed` ones follow from them and from the `free` ones.

    Of equally small sets, the one nearest to what is needed: it leaves least to compute again.
    """
    edges: dict[str, dict[str, int]] = {}

    def connect(a: str, b: str, capacity: int) -> None:
        edges.setdefault(a, {})[b] = capacity
        edges.setdefault(b, {}).setdefault(a, 0)

    known = set(free) | {i.name for i in program.inputs if i.role in ("parameter", "constant")}
    waiting, seen = [n for n in needed if n not in known], set()
    for name in waiting:
        connect(name + "\0out", _SINK, _NEVER)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        connect(name + "\0in", name + "\0out", sizes[name])
        entry = program.by_name[name]
        if isinstance(entry, Input) or entry.fn in PRODUCTS or _is_reduction(entry.fn):
            connect(_SOURCE, name + "\0in", _NEVER)
            continue
        for arg in entry.args:
            if isinstance(arg, str) and arg not in known:
                connect(arg + "\0out", name + "\0in", _NEVER)
                waiting.append(arg)
    _saturate(edges)
    reaching = _reaching_sink(edges)
    return [n for n in program.by_name if n in seen and n + "\0out" in reaching and n + "\0in" not in reaching]


def _is_reduction(fn: str) -> bool:
    return fn in FUNCTIONS and FUNCTIONS[fn].kind == "reduction"


def _saturate(edges: dict[str, dict[str, int]]) -> None:
    """Push flow from source to sink along shortest paths until none is left; `edges` then holds what remains."""
    while (path := _path(edges)) is not None:
        pairs = list(pairwise(path))
        amount = min(edges[a][b] for a, b in pairs)
        for a, b in pairs:
            edges[a][b] -= amount
            edges[b][a] += amount


def _path(edges: dict[str, dict[str, int]]) -> list[str] | None:
    before: dict[str, str] = {_SOURCE: ""}
    queue = [_SOURCE]
    for node in queue:
        for other, capacity in edges.get(node, {}).items():
            if capacity > 0 and other not in before:
                before[other] = node
                queue.append(other)
    if _SINK not in before:
        return None
    path = [_SINK]
    while path[-1] != _SOURCE:
        path.append(before[path[-1]])
    return path[::-1]


def _reaching_sink(edges: dict[str, dict[str, int]]) -> set[str]:
    reaching, queue = {_SINK}, [_SINK]
    for node in queue:
        for other in edges.get(node, {}):
            if edges[other].get(node, 0) > 0 and other not in reaching:
                reaching.add(other)
                queue.append(other)
    return reaching
