"""One layer, forward and backward with the input's gradient: `ostinato.nn` beside `torch.nn`."""

from __future__ import annotations

import torch

import ostinato.nn
from benchmarks.machine import medians

GRID = [(1, 256, 64), (16, 128, 64), (32, 128, 128), (32, 128, 256), (20, 35, 650)]
"""(B, T, H = I)"""


def measure() -> list[dict]:
    rows = []
    print(f"{'layer':<6}{'B, T, H':<16}{'torch ms':>10}{'ostinato ms':>13}{'ratio':>8}  engine")
    for kind in ("LSTM", "GRU", "RNN"):
        for batch, steps, hidden in GRID:
            rows.append(_row(kind, batch, steps, hidden))
    return rows


def _row(kind: str, batch: int, steps: int, hidden: int) -> dict:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(hidden, hidden)
    ours = getattr(ostinato.nn, kind)(hidden, hidden)
    inputs = torch.randn(steps, batch, hidden, requires_grad=True)
    contenders = {
        "torch": lambda: theirs(inputs)[0].sum().backward(),
        "ostinato": lambda: ours(inputs)[0].sum().backward(),
    }
    taken = medians(contenders, rounds=15)
    ratio = taken["torch"] / taken["ostinato"]
    engine = str(ostinato.plan(ours._bound(ours._definitions[0][0], 0, 0)))
    size = f"{batch}, {steps}, {hidden}"
    print(f"{kind:<6}{size:<16}{taken['torch'] * 1e3:>10.2f}{taken['ostinato'] * 1e3:>13.2f}{ratio:>8.2f}  {engine}")
    return {"layer": kind, "size": [batch, steps, hidden], "seconds": taken, "ratio": ratio, "engine": engine}
