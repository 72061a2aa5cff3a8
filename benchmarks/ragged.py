"""A batch that is half full: Ostinato with lengths, the same batch padded, and `torch.nn` with packed sequences."""

from __future__ import annotations

from collections.abc import Iterator

import ostinato
from benchmarks import table, torch_peer
from benchmarks.machine import take_turns
from benchmarks.problem import problem
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.texts import GRU, LSTM, Text

BATCH, STEPS = 32, 128
OF_PADDED, OVER_PACKED = 0.6, 2.0


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    for text in (GRU, LSTM):
        for hidden in (128, 256):
            yield _row(text, hidden, settings)


def _row(text: Text, hidden: int, settings: Settings) -> Row:
    size = BATCH, STEPS, hidden
    cell, ragged, full = text.build(hidden), problem(*size, ragged=True), problem(*size)
    contenders = {
        "ours": torch_peer.ours(cell, ragged),
        "padded": torch_peer.ours(cell, full),
        "packed": torch_peer.torch_nn(text.name, cell, ragged),
        "torch padded": torch_peer.torch_nn(text.name, cell, full),
    }
    seconds = (row := table.times(take_turns(contenders, settings.budget)))["seconds"]
    ratios = {name: seconds[name] / seconds["ours"] for name in ("packed", "torch padded")}
    ratios["of padded"] = seconds["ours"] / seconds["padded"]
    targets = [
        table.at_most("of padded", ratios["of padded"], OF_PADDED),
        table.at_least("packed", ratios["packed"], OVER_PACKED),
    ]
    plan = ostinato.plan(cell)
    filled = float(ragged.lengths.float().mean()) / STEPS
    head = {"cell": text.name, "size": list(size), "fill": filled, "engine": plan.engine, "plan": str(plan)}
    return {**head, **row, "ratios": ratios, "targets": targets}


TABLE = Table(
    "A ragged batch",
    "Forward and backward with all gradients, float32; lengths spread evenly from 1 to T - 1, in random order."
    f" `÷ padded` is Ostinato's time over its own for the batch without lengths, at most {OF_PADDED:g}; `× packed`"
    " says how many times faster it is than `torch.nn` with `pack_padded_sequence` before and `pad_packed_sequence`"
    f" after ({OVER_PACKED:g}), `× torch padded` than `torch.nn` on the whole batch.",
    (
        table.plain("cell", -5, "cell"),
        table.size(),
        table.Column("fill", 5, lambda row: f"{row['fill']:.0%}"),
        table.plain("engine", -7, "engine"),
        table.milliseconds("ours ms", "ours"),
        table.milliseconds("padded ms", "padded"),
        table.milliseconds("packed ms", "packed"),
        table.milliseconds("torch padded ms", "torch padded"),
        table.ratio("÷ padded", "of padded"),
        table.ratio("× packed", "packed"),
        table.ratio("× torch padded", "torch padded"),
        table.VERDICT,
    ),
)
