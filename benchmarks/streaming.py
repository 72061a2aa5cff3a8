"""One step at a time, one row, the state carried, no gradients: microseconds a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

import ostinato
from benchmarks import table, torch_peer
from benchmarks.machine import Timing, settle, timing, warm
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from benchmarks.texts import GRU, LSTM, Text

HIDDEN = 256
STEPS_A_TURN = 250
OVER_TORCH, OVER_ONNX = 3.0, 1.5
Advance = Callable[[Any], Any]
"""Takes the next input (1, D), in the contender's own form, and carries the state; returns the output."""


def _cell_call(cell: ostinato.Cell) -> Advance:
    state = cell.initial_state(1)

    def advance(x):
        nonlocal state
        output, state = cell(x, state)
        return output

    return advance


def _unroll(cell: ostinato.Cell) -> Advance:
    state = cell.initial_state(1)

    def advance(x):
        nonlocal state
        outputs, state = ostinato.unroll(cell, x[None], state)
        return outputs[0]

    return advance


OURS: dict[str, Callable[[ostinato.Cell], Advance]] = {
    "Stream": ostinato.Stream,
    "cell(x, state)": _cell_call,
    "unroll, T = 1": _unroll,
}
"""The public ways to take a step; the fastest is compared with the peers."""
_TORCH_CELLS = {"GRU": nn.GRUCell, "LSTM": nn.LSTMCell}


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    turns = 2 if settings.quick else 12
    for text in (GRU, LSTM):
        contenders = make_contenders(text, HIDDEN, settings)
        taken = take_turns(contenders, turns)
        ours = min(taken[name].median for name in OURS)
        for name in contenders:
            ratio = taken[name].median / ours
            row = {"cell": text.name, "contender": name, **table.times({"step": taken[name]})}
            yield {**row, "ratios": {"ours": ratio}, "targets": _targets(name, ratio)}


def make_contenders(text: Text, hidden: int, settings: Settings) -> dict[str, tuple[Advance, list]]:
    """Return each contender's step beside the inputs it takes in turn."""
    cell = text.build(hidden)
    generator = torch.Generator().manual_seed(0)
    inputs = list(torch.randn(64, 1, hidden, generator=generator))
    steps = {name: make(cell) for name, make in OURS.items()}
    steps |= {
        f"torch.nn.{text.name}Cell": _torch_cell(text, cell),
        f"torch.nn.{text.name}, T = 1": _torch_nn(text, cell),
    }
    contenders = {name: (step, inputs) for name, step in steps.items()}
    if settings.onnx:
        arrays = [x[None].numpy() for x in inputs]
        for threads in dict.fromkeys((torch.get_num_threads(), 1)):
            step = settings.onnx.step(text.name, cell, threads)
            contenders[f"ONNX Runtime, {threads} thread{'s' * (threads > 1)}"] = step, arrays
    return contenders


def _torch_cell(text: Text, cell: ostinato.EquationCell) -> Advance:
    step = _TORCH_CELLS[text.name](cell.input_size, cell.hidden_size)
    step.load_state_dict(cell.state_dict())
    state = None

    def advance(x):
        nonlocal state
        state = step(x, state)
        return state[0] if isinstance(state, tuple) else state

    return advance


def _torch_nn(text: Text, cell: ostinato.EquationCell) -> Advance:
    layer = torch_peer.torch_layer(text.name, cell, cell.hidden_size)
    state = None

    def advance(x):
        nonlocal state
        outputs, state = layer(x[None], state)
        return outputs[0]

    return advance


def take_turns(contenders: dict[str, tuple[Advance, list]], turns: int) -> dict[str, Timing]:
    """Time every step of each contender's turns, after steps that are not counted."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    with torch.inference_mode():
        for _ in range(turns):
            for name, (advance, inputs) in contenders.items():
                times[name] += _turn(advance, inputs)
    return {name: timing(taken, taken[0]) for name, taken in times.items()}


def _turn(advance: Advance, inputs: list) -> list[float]:
    settle()
    warm(lambda: [advance(x) for x in inputs])
    taken = []
    for k in range(STEPS_A_TURN):
        x = inputs[k % len(inputs)]
        began = time.perf_counter()
        advance(x)
        taken.append(time.perf_counter() - began)
    return taken


def _targets(name: str, ratio: float) -> list[Row]:
    if name.startswith("ONNX"):
        return [table.at_least("ours", ratio, OVER_ONNX)]
    return [table.at_least("ours", ratio, OVER_TORCH)] if name.endswith("Cell") else []


TABLE = Table(
    "Streaming",
    f"B = 1, H = I = {HIDDEN}, one step at a time, the state carried, `torch.inference_mode`. The ratio says how many"
    " times as long the contender takes as the fastest of Ostinato's ways to take a step; targets:"
    f" {OVER_TORCH:g} over torch's cell, {OVER_ONNX:g} over ONNX Runtime with either number of threads.",
    (
        table.plain("cell", -5, "cell"),
        table.plain("contender", -23, "contender"),
        table.Column("µs a step", 9, lambda row: f"{row['seconds']['step'] * 1e6:.1f}"),
        table.ratio("× ours", "ours"),
        table.VERDICT,
    ),
)
