"""What each gradient method costs beside bare back-propagation of the same number of steps, written by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks import table
from benchmarks.machine import take_turns
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato import Recurrent
from ostinato.training.gradient import METHODS, Checkpointed, Method, detach
from ostinato.training.gradient.by_hand import Learner, Steps
from ostinato.training.gradient.checkpointed import cost_of
from ostinato.training.gradient.method import cut

WINDOW = 64
LARGE, LONG, ALONE, SMALL = (16, 512, 256), (16, 1024, 256), (1, 512, 256), (16, 128, 32)
"""(B, T, H)."""
ROWS = [
    ("truncated", "lstm", LARGE, 1.03),
    ("truncated", "gru", LARGE, 1.03),
    ("randomized", "lstm", LARGE, None),
    ("checkpointed", "lstm", LONG, None),
    ("checkpointed, a third", "lstm", LONG, 1.4),
    ("checkpointed", "gru", LONG, None),
    ("checkpointed, a third", "gru", LONG, 1.4),
    *(("rtrl", cell, size, 3.0) for cell in ("indrnn", "mingru", "minlstm", "sru", "lru") for size in (LARGE, ALONE)),
    *((method, "gru", SMALL, None) for method in ("snap", "e-prop", "uoro", "kf-rtrl")),
]


class Chosen:
    """The settings that a method is made from, by name."""

    k1, k2, lengths, spacing, seed = WINDOW, None, "heavy-tailed", 8, 0

    def __init__(self, gradient: str, memory_budget: int | None = None):
        self.gradient, self.memory_budget = gradient, memory_budget


def measure(settings: Settings) -> list[Row]:
    rows = ROWS[::4] if settings.quick else ROWS
    return table.show(TABLE, (_row(*row, settings) for row in rows))


def _row(name: str, cell: str, size: tuple[int, int, int], bound: float | None, settings: Settings) -> Row:
    layer, inputs, weights = problem(cell, size)
    third = budget(layer, inputs, weights) if name.endswith("a third") else None
    way = METHODS[name.partition(",")[0]](Chosen(name, third))
    window = inputs.shape[0] if isinstance(way, Checkpointed) else WINDOW
    contenders = {
        "bare": partial(bare, layer, inputs, weights, window),
        "method": partial(along, way, layer, inputs, weights),
    }
    row: Row = {"method": name, "cell": cell, "size": size, "window": window}
    row |= table.times(take_turns(contenders, settings.budget))
    row["ratios"] = {"bare": row["seconds"]["method"] / row["seconds"]["bare"]}
    if isinstance(way, Checkpointed):
        row["kept"] = kept(way, layer, inputs, weights)
    if bound is not None:
        row["targets"] = [table.at_most(name, row["ratios"]["bare"], bound)]
    return row


def problem(cell: str, size: tuple[int, int, int]) -> tuple[Recurrent, Tensor, Tensor]:
    """Return a layer, inputs (T, B, H) and what weighs its outputs."""
    batch, steps, hidden = size
    torch.manual_seed(0)
    layer = Recurrent(cell, hidden, hidden)
    return layer, torch.randn(steps, batch, hidden), torch.randn(steps, batch, layer.output_size)


def budget(layer: Recurrent, inputs: Tensor, weights: Tensor) -> int:
    """Return a third of the bytes that all steps keep for the way back."""
    cost = cost_of(Learner(layer, weighed), Steps(inputs, weights, None, None), None)
    return round(cost.step * inputs.shape[0] / 3)


def weighed(outputs: Tensor, weights: Tensor) -> Tensor:
    return (outputs * weights).sum()


def bare(layer: Recurrent, inputs: Tensor, weights: Tensor, window: int) -> None:
    """Read windows one after the other, each with its own way back: what one writes by hand."""
    state = None
    for first in range(0, inputs.shape[0], window):
        outputs, state = layer(inputs[first : first + window], state)
        weighed(outputs, weights[first : first + window]).backward()
        state = detach(state)
    layer.zero_grad()


def along(way: Method, layer: Recurrent, inputs: Tensor, weights: Tensor) -> None:
    """The same with a method, as the training loop does."""
    learner, steps, state = Learner(layer, weighed), Steps(inputs, weights, None, None), None
    for window in way.windows(inputs.shape[0], 0):
        piece = cut(steps, window.position, window.position + window.length)
        _, _, state = way.accumulate(learner, piece, window, state, torch.Tensor.backward)
    layer.zero_grad()


def kept(way: Checkpointed, layer: Recurrent, inputs: Tensor, weights: Tensor) -> dict[str, float]:
    """Return the bytes kept for the way back: of all steps, and of states and one piece."""
    cost = cost_of(Learner(layer, weighed), Steps(inputs, weights, None, None), None)
    pieces = way.pieces[inputs.shape[0]]
    return {
        "bare": cost.step * inputs.shape[0],
        "method": cost.step * pieces.length + cost.state * pieces.branches,
    }


def _megabytes(name: str) -> Callable[[Row], str]:
    return lambda row: f"{row['kept'][name] / 1e6:.1f}" if "kept" in row else ""


TABLE = Table(
    "Gradients over time",
    f"Each method beside bare back-propagation over the same steps: windows of {WINDOW}, of all steps for checkpointed,"
    " by default or with a third of their memory. float32, the engine chosen for the layer. MB: what is kept for the"
    " way back.",
    (
        table.plain("method", -21, "method"),
        table.plain("cell", -7, "cell"),
        table.size(),
        table.milliseconds("bare ms", "bare"),
        table.milliseconds("method ms", "method"),
        table.ratio("× bare", "bare"),
        table.spread("method"),
        table.Column("bare MB", 8, _megabytes("bare")),
        table.Column("method MB", 9, _megabytes("method")),
        table.VERDICT,
    ),
)
