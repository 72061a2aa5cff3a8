"""Cells no library has a kernel for, beside torch's LSTM a product, the eager loop, a compiled step, and JAX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch._inductor.utils import fresh_cache

import ostinato
from benchmarks import table, torch_peer, vendor
from benchmarks.machine import take_turns
from benchmarks.problem import problem
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.texts import LSTM, OTHERS, Text, products

LOOPS = {(16, 128, 64): 10.0, (32, 128, 128): 4.0, (32, 128, 256): 2.0}
"""How many times faster than the eager loop and than a loop over a compiled step; elsewhere no step is compiled."""
PER_PRODUCT = {(32, 128, 128): 1.1, (32, 128, 256): 1.1}
PER_PRODUCT_ELSEWHERE = 1.3
"""Time a product of H x H, at most so many times that of `torch.nn.LSTM`."""
OVER_JAX = vendor.OVER_JAX


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    with fresh_cache():  # what earlier runs compiled is not found, so that the seconds are those of compiling
        for text in OTHERS:
            for size in vendor.grid(settings):
                yield _row(text, size, settings)


def _row(text: Text, size: tuple[int, int, int], settings: Settings) -> Row:
    cell, given = text.build(size[2]), problem(*size)
    contenders = {
        "ours": torch_peer.ours(cell, given),
        "LSTM": torch_peer.torch_nn("LSTM", LSTM.build(size[2]), given),
        "eager": torch_peer.ours(cell, given, "eager"),
    }
    compiles = size in LOOPS and not (settings.quick and size != (16, 128, 64))
    if compiles:
        contenders["compiled"] = torch_peer.compiled_loop(text, cell, given)
    if settings.jax:
        contenders["JAX"] = settings.jax.scan(text, cell, given)
    taken = take_turns(contenders, settings.budget)
    plan = ostinato.plan(cell)
    row = {"cell": text.name, "size": list(size), "engine": plan.engine, "products": products(cell)}
    row |= table.times(taken)
    ours = row["seconds"]["ours"]
    row["ratios"] = {name: row["seconds"][name] / ours for name in ("eager", "compiled", "JAX") if name in taken}
    row["ratios"]["product"] = (ours / row["products"]) / (row["seconds"]["LSTM"] / products(LSTM.build(1)))
    row |= {"plan": str(plan), "targets": _targets(size, row["ratios"])}
    if compiles:
        row["compile_s"] = taken["compiled"].first - taken["compiled"].median
    return row


def _targets(size: tuple[int, int, int], ratios: dict[str, float]) -> list[Row]:
    least = dict.fromkeys(("eager", "compiled"), LOOPS.get(size)) | {"JAX": OVER_JAX}
    faster = [table.at_least(n, ratios[n], bound) for n, bound in least.items() if n in ratios and bound is not None]
    return [table.at_most("product", ratios["product"], PER_PRODUCT.get(size, PER_PRODUCT_ELSEWHERE)), *faster]


def _means(rows: Sequence[Row]) -> list[Row]:
    names = dict.fromkeys(row["cell"] for row in rows)
    return [table.geometric_means([row for row in rows if row["cell"] == name], cell=name) for name in names]


TABLE = Table(
    "Cells without a kernel in torch",
    "Forward and backward with the gradients of the inputs and of all weights, float32. `÷ LSTM` is the time a product"
    " of H × H takes, over that of `torch.nn.LSTM` (8 products) in the same turns: at most"
    f" {PER_PRODUCT[32, 128, 128]:g} at (32, 128, 128) and (32, 128, 256), {PER_PRODUCT_ELSEWHERE:g} elsewhere. The"
    " other ratios say how many times faster Ostinato is: than its own eager loop and than a Python loop over a step"
    " under `torch.compile`"
    f" ({', '.join(f'{least:g} at {point}' for point, least in LOOPS.items())}), and than `lax.scan`"
    f" under `jit` ({OVER_JAX:g}). `compile s` is what `torch.compile`"
    " took from an empty cache, in the first row with torch's headers.",
    (
        table.plain("cell", -17, "cell"),
        table.size(),
        table.plain("engine", -7, "engine"),
        table.Column("products", 8, lambda row: f"{row['products']:g}" if "products" in row else ""),
        table.milliseconds("ours ms", "ours"),
        table.gigaflops("GFLOP/s", "ours"),
        table.spread("ours"),
        table.ratio("÷ LSTM", "product"),
        table.ratio("× eager", "eager"),
        table.ratio("× compiled", "compiled"),
        table.Column("compile s", 9, lambda row: f"{row['compile_s']:.1f}" if "compile_s" in row else ""),
        table.ratio("× JAX", "JAX"),
        table.VERDICT,
    ),
    _means,
)
