"""Where boxes stand: columns by their longest way from the left, few crossings, long edges as straight as may be.

The layers and the sweeps over barycentres are those of Sugiyama, Tagawa & Toda (1981,
doi:10.1109/TSMC.1981.4308636, §3); heights are the least squares that keep order and distances.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 12.0
"""Between boxes above one another."""
PASSING = 9.0
"""Height of an edge that passes a column."""
SWEEPS, SETTLINGS = 12, 60
STRAIGHT = 8.0
"""How much harder two parts of one edge pull each other to the same height than boxes do."""


@dataclass
class Place:
    """A box in its column, or an edge on its way through one."""

    key: str
    column: int
    height: float = PASSING
    y: float = 0.0
    """Of its middle."""
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        """Whether it is an edge."""
        return self.height == PASSING


@dataclass(frozen=True)
class Layout:
    """Boxes by their keys, and the edges that pass columns by (source, target)."""

    columns: list[list[Place]]
    boxes: dict[str, Place]
    ways: dict[tuple[str, str], list[Place]]


def layout(
    heights: Mapping[str, float], edges: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]
) -> Layout:
    """Place boxes, given by their heights in an order in which each stands after those it reads.

    first, last   boxes of the first column, in any order, and of the last, from above.
    """
    columns = _columns(list(heights), edges, first, last)
    boxes = {key: Place(key, columns[key], height) for key, height in heights.items()}
    ways = {(s, t): _connect(boxes[s], boxes[t]) for s, t in edges}
    known = [*(boxes[key] for key in (*first, *last)), *boxes.values(), *(p for way in ways.values() for p in way)]
    rows: list[list[Place]] = [[] for _ in range(max(columns.values()) + 1)]
    for place in {id(place): place for place in known}.values():
        rows[place.column].append(place)
    rows = _fewest_crossings(rows)
    _set_heights(rows)
    return Layout(rows, boxes, ways)


def _columns(
    keys: Sequence[str], edges: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]
) -> dict[str, int]:
    columns = dict.fromkeys(keys, 0)
    sources = {key: [s for s, t in edges if t == key] for key in keys}
    targets = {key: [t for s, t in edges if s == key] for key in keys}
    for key in keys:
        columns[key] = max((columns[s] + 1 for s in sources[key]), default=0)
    end = max(1, *(columns.values()))
    columns |= dict.fromkeys(last, end)
    follows = set(first)
    for key in keys:
        if follows.intersection(sources[key]):
            follows.add(key)
    for key in reversed(keys):  # what nothing of the first column leads to stands where it is read
        if key not in follows and targets[key]:
            columns[key] = min(columns[t] for t in targets[key]) - 1
    shift = -min(0, *columns.values())
    return {key: 0 if key in first else column + shift for key, column in columns.items()}


def _connect(source: Place, target: Place) -> list[Place]:
    way = [Place(f"{source.key} to {target.key}", k) for k in range(source.column + 1, target.column)]
    stations = [source, *way, target]
    for a, b in pairwise(stations):
        a.after.append(b)
        b.before.append(a)
    return way


def _fewest_crossings(rows: list[list[Place]]) -> list[list[Place]]:
    best, fewest = list(rows), _crossings(rows)
    for sweep in range(SWEEPS):
        rows = list(rows)
        forward = sweep % 2 == 0
        for k in range(1, len(rows) - 1) if forward else range(len(rows) - 2, -1, -1):
            beside = rows[k - 1] if forward else rows[k + 1]
            rows[k] = _by_neighbours(rows[k], {id(place): n for n, place in enumerate(beside)}, forward)
        crossed = _crossings(rows)
        if crossed < fewest:
            best, fewest = rows, crossed
    return best


def _by_neighbours(row: list[Place], order: Mapping[int, int], forward: bool) -> list[Place]:
    def centre(n: int) -> float:
        own = [order[id(p)] for p in (row[n].before if forward else row[n].after)]
        return sum(own) / len(own) if own else float(n)

    return [row[n] for n in sorted(range(len(row)), key=centre)]


def _crossings(rows: Sequence[Sequence[Place]]) -> int:
    crossed = 0
    for left, right in pairwise(rows):
        order = {id(place): n for n, place in enumerate(right)}
        seen: list[int] = []
        for place in left:
            ends = [order[id(p)] for p in place.after]
            crossed += sum(len(seen) - bisect(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossed


def _set_heights(rows: Sequence[list[Place]]) -> None:
    for row in rows:
        _settle(row, [(0.0, 1.0)] * len(row))
    for sweep in range(SETTLINGS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _settle(row, [_wish(place) for place in row])
    top = min(place.y - place.height / 2 for row in rows for place in row)
    for place in (place for row in rows for place in row):
        place.y -= top


def _wish(place: Place) -> tuple[float, float]:
    """Return the height between its neighbours, and how much it matters: edges through columns pull hardest."""
    pulls = [(other.y, STRAIGHT if place.passes and other.passes else 1.0) for other in place.before + place.after]
    total = sum(pull for _, pull in pulls)
    return (sum(y * pull for y, pull in pulls) / total, total) if total else (place.y, 1.0)


def _settle(row: Sequence[Place], wishes: Sequence[tuple[float, float]]) -> None:
    """Set heights as near to the wishes as order and distances allow (pooling adjacent violators)."""
    offsets, at = [], 0.0
    for n, place in enumerate(row):
        at += (row[n - 1].height + place.height) / 2 + GAP if n else 0.0
        offsets.append(at)
    pools: list[tuple[float, float, int]] = []  # sum of the wishes less their offsets, of their weights, how many
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        pools.append((weight * (wish - offset), weight, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            pools[-2:] = [(pools[-2][0] + pools[-1][0], pools[-2][1] + pools[-1][1], pools[-2][2] + pools[-1][2])]
    heights = [total / weight for total, weight, count in pools for _ in range(count)]
    for place, height, offset in zip(row, heights, offsets, strict=True):
        place.y = height + offset
