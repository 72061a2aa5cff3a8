"""Every cell of the catalogue that is equations: the time a product takes, beside that of `torch.nn.LSTM`'s."""

from __future__ import annotations

from collections.abc import Iterator

import torch

import ostinato
from benchmarks import table, torch_peer
from benchmarks.machine import Budget, take_turns
from benchmarks.problem import Problem, problem
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.texts import LSTM, products

SIZE = 32, 128, 256
QUICK = ("elman", "gru", "mgu", "star", "mingru")
PER_PRODUCT = 1.5
"""Time a product of H x H, at most so many times that of `torch.nn.LSTM`."""
BUDGET = Budget(seconds=1.0, least=4, most=8)


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    for name, info in ostinato.CATALOGUE.items():
        if settings.quick and name not in QUICK:
            continue
        if not info.equations:
            settings.skip(name, "it is no equations, and runs step by step")
            continue
        yield _row(name, settings)


def _row(name: str, settings: Settings) -> Row:
    batch, steps, size = SIZE
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cell = ostinato.CATALOGUE[name].build(size, size)
    given = problem(*SIZE)
    upstream = torch.randn(steps, batch, cell.output_size, generator=torch.Generator().manual_seed(0))
    dt = torch.ones(steps, batch) if cell.uses_dt else None
    contenders = {
        "ours": torch_peer.ours(cell, Problem(given.inputs, upstream, dt=dt)),
        "LSTM": torch_peer.torch_nn("LSTM", LSTM.build(size), given),
    }
    row = table.times(take_turns(contenders, settings.budget if settings.quick else BUDGET))
    plan, count, seconds = ostinato.plan(cell), products(cell), row["seconds"]
    over = (seconds["ours"] / count) / (seconds["LSTM"] / products(LSTM.build(1)))
    head = {"cell": name, "size": list(SIZE), "engine": plan.engine, "plan": str(plan), "products": count}
    targets = [table.at_most("product", over, PER_PRODUCT)]
    return {**head, **row, "ratios": {"product": over, "whole": seconds["ours"] / seconds["LSTM"]}, "targets": targets}


TABLE = Table(
    "The catalogue",
    f"Forward and backward with the gradients of the inputs and of all weights, float32, (B, T, H) = {SIZE}."
    " `product` is the time a product of H × H takes, over that of `torch.nn.LSTM` in the same turns: at most"
    f" {PER_PRODUCT:g}."
    " `whole` is the time of the whole cell over that of `torch.nn.LSTM`.",
    (
        table.plain("cell", -28, "cell"),
        table.plain("engine", -8, "engine"),
        table.Column("products", 8, lambda row: f"{row['products']:.3g}" if "products" in row else ""),
        table.milliseconds("ours ms", "ours"),
        table.gigaflops("GFLOP/s", "ours"),
        table.spread("ours"),
        table.ratio("product", "product"),
        table.ratio("whole", "whole"),
        table.VERDICT,
    ),
)
