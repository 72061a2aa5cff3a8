"""GRU, Elman and LSTM, forward and backward with all gradients: Ostinato beside `torch.nn` and JAX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ostinato
from benchmarks import table, torch_peer
from benchmarks.machine import take_turns
from benchmarks.problem import Problem, Run, problem
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.texts import LSTM, TORCH_HAS, Text, products

ON_GRID = [
    (1, 256, 64), (16, 128, 64), (32, 128, 128), (32, 128, 256),
    (64, 100, 512), (20, 35, 650), (1, 1000, 256), (128, 50, 128),
]  # fmt: skip
OFF_GRID = [(32, 128, 100), (7, 128, 128)]
QUICK = [(1, 256, 64), (16, 128, 64), (32, 128, 128)]
"""(B, T, H = I)"""
JAX = ("flax", "scan")

POINT = {"GRU": 1.2, "Elman": 1.2, "LSTM": 1.0}
MEAN = {"GRU": 3.0, "Elman": 3.0, "LSTM": 1.15}
"""How many times faster than `torch.nn`: at every point, and in the geometric mean."""
OVER_JAX = 2.0


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def grid(settings: Settings) -> list[tuple[int, int, int]]:
    """Return the points that are measured."""
    return QUICK if settings.quick else ON_GRID + OFF_GRID


def _rows(settings: Settings) -> Iterator[Row]:
    for text in TORCH_HAS:
        for size in grid(settings):
            yield from _point(text, size, settings)


def _point(text: Text, size: tuple[int, int, int], settings: Settings) -> Iterator[Row]:
    cell, given = text.build(size[2]), problem(*size)
    by_name = _by_name(cell, given, settings) if text is LSTM else {}
    contenders = {
        "ours": torch_peer.ours(cell, given),
        **by_name,
        "torch": torch_peer.torch_nn(text.name, cell, given),
    }
    if settings.jax:
        contenders["flax"] = settings.jax.flax_rnn(text, cell, given)
        contenders["scan"] = settings.jax.scan(text, cell, given)
    taken = take_turns(contenders, settings.budget)
    plan = ostinato.plan(cell)
    for name, engine in {"ours": plan.engine, **{name: f"{name}, by name" for name in by_name}}.items():
        peers = {other: one for other, one in taken.items() if other not in ("ours", *by_name)}
        row = {"cell": text.name, "size": list(size), "engine": engine, "products": products(cell)}
        row |= table.times({"ours": taken[name], **peers})
        row["ratios"] = _ratios(row)
        if name == "ours":
            row |= {"plan": str(plan), "targets": _targets(text, row["ratios"])}
        yield row


def _by_name(cell: ostinato.Cell, given: Problem, settings: Settings) -> dict[str, Run]:
    runs = {}
    for engine in ("native", "vendor"):
        try:
            runs[engine] = torch_peer.ours(cell, given, engine)
        except ostinato.OstinatoError as error:
            settings.skip(f"LSTM on engine {engine}", str(error))
    return runs


def _ratios(row: Row) -> dict[str, float]:
    ratios = {"torch": row["seconds"]["torch"] / row["seconds"]["ours"]}
    jax = table.best(row, *JAX)
    return ratios if jax is None else {**ratios, "JAX": jax / row["seconds"]["ours"]}


def _targets(text: Text, ratios: dict[str, float]) -> list[Row]:
    targets = [table.at_least("torch", ratios["torch"], POINT[text.name])]
    return targets + [table.at_least("JAX", ratios["JAX"], OVER_JAX)] * ("JAX" in ratios)


def _means(rows: Sequence[Row]) -> list[Row]:
    means = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        chosen = [row for row in rows if row["cell"] == cell and "targets" in row]
        mean = table.geometric_means(chosen, cell=cell, engine=" / ".join(dict.fromkeys(r["engine"] for r in chosen)))
        means.append({**mean, "targets": [table.at_least("torch", mean["ratios"]["torch"], MEAN[cell])]})
    return means


TABLE = Table(
    "GRU, Elman and LSTM against torch.nn and JAX",
    "Forward and backward with the gradients of the inputs and of all weights, float32. JAX is the faster of"
    " `flax.nnx.RNN` and `lax.scan` with the products with the input before the loop. A ratio above 1 says how many"
    f" times faster Ostinato is. Targets: {POINT['GRU']:g} times torch at each point and {MEAN['GRU']:g} in the"
    f" geometric mean for GRU and Elman, {POINT['LSTM']:g} and {MEAN['LSTM']:g} for the LSTM;"
    f" {OVER_JAX:g} times JAX at each point.",
    (
        table.plain("cell", -6, "cell"),
        table.size(),
        table.plain("engine", -15, "engine"),
        table.milliseconds("ours ms", "ours"),
        table.milliseconds("torch ms", "torch"),
        table.milliseconds("JAX ms", *JAX),
        table.gigaflops("ours GFLOP/s", "ours"),
        table.gigaflops("torch GFLOP/s", "torch"),
        table.spread("ours"),
        table.ratio("× torch", "torch"),
        table.ratio("× JAX", "JAX"),
        table.VERDICT,
    ),
    _means,
)
