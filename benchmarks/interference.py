"""Whether contenders that take turns in one process slow each other: each alone in its own process, and in turns."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import torch

from benchmarks import streaming, table, torch_peer
from benchmarks.machine import Budget, take_cores, take_turns
from benchmarks.problem import Run, problem
from benchmarks.settings import Settings, find_peers
from benchmarks.table import Row, Table
from benchmarks.texts import GRU

SIZE = (16, 128, 64)


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    for task, together, unit in (("layer", _layers, 1e3), ("step", _steps, 1e6)):
        in_turns = together(settings, None)
        for name, seconds in in_turns.items():
            alone = _in_a_child(together, settings, name)
            ratios = {"alone": seconds / alone}
            form = f"{{:.{2 if unit == 1e3 else 1}f}} {'ms' if unit == 1e3 else 'µs'}"
            yield {
                "task": task, "contender": name, "seconds": {"alone": alone, "in turns": seconds}, "ratios": ratios,
                "alone": form.format(alone * unit), "in turns": form.format(seconds * unit),
            }  # fmt: skip


def _layers(settings: Settings, only: str | None) -> dict[str, float]:
    cell, given = GRU.build(SIZE[2]), problem(*SIZE)
    make: dict[str, Callable[[], Run]] = {
        "ours": lambda: torch_peer.ours(cell, given),
        "torch": lambda: torch_peer.torch_nn("GRU", cell, given),
    }
    if settings.jax:
        jax = settings.jax
        make["flax"] = lambda: jax.flax_rnn(GRU, cell, given)
    budget = Budget(seconds=3.0, least=3, most=10 if settings.quick else 60)
    runs = {name: made() for name, made in make.items() if only in (None, name)}
    return {name: one.median for name, one in take_turns(runs, budget).items()}


def _steps(settings: Settings, only: str | None) -> dict[str, float]:
    contenders = streaming.make_contenders(GRU, streaming.HIDDEN, settings)
    chosen = {name: one for name, one in contenders.items() if only in (None, name)}
    taken = streaming.take_turns(chosen, 2 if settings.quick else 12)
    return {name: one.median for name, one in taken.items()}


def _in_a_child(together, settings: Settings, name: str) -> float:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_alone, together, settings.quick, torch.get_num_threads(), name).result()


def _alone(together, quick: bool, threads: int, name: str) -> float:
    take_cores(threads)
    settings = Settings(quick)
    find_peers(settings)
    return together(settings, name)[name]


TABLE = Table(
    "Contenders alone and in turns",
    f"A GRU layer at {SIZE}, forward and backward, and a GRU step of B = 1, H = {streaming.HIDDEN}: the median of each"
    " contender alone in a process of its own, and of the same while it takes turns with the others in one process.",
    (
        table.plain("what", -6, "task"),
        table.plain("contender", -23, "contender"),
        table.plain("alone", 10, "alone"),
        table.plain("in turns", 10, "in turns"),
        table.ratio("÷ alone", "alone"),
    ),
)
