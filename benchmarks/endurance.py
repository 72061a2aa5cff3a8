"""Peak resident memory of very long sequences: a stream of a million steps, and one sequence of a hundred thousand.

The stream is delayed recall: at each step a bit, and the bit of five steps ago is asked for. It is drawn window by
window and never lies in memory. A row runs in a process of its own, as `python -m benchmarks.endurance METHOD STEPS`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato import Recurrent, gradients

DELAY, WINDOW, UNITS = 5, 100, 32
STREAM, SEQUENCE = 1_000_000, 100_000
STREAMED = {"truncated": "lstm", "rtrl": "indrnn"}
ROWS = [(method, STREAM) for method in STREAMED] + [
    ("checkpointed", 1000),
    ("checkpointed", SEQUENCE),
    ("full", SEQUENCE),
]
GIGABYTE = 2**30


def measure(settings: Settings) -> list[Row]:
    return table.show(TABLE, (_row(method, steps // (100 if settings.quick else 1)) for method, steps in ROWS))


def _row(method: str, steps: int) -> Row:
    command = [sys.executable, "-m", "benchmarks.endurance", method, str(steps)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if method in STREAMED:
        row["targets"] = [table.at_most("GB", row["peak"] / GIGABYTE, 2.0)]
    return row


class Recall(nn.Module):
    """A layer and a score of the bit."""

    def __init__(self, cell: str):
        super().__init__()
        self.recurrent, self.scores = Recurrent(cell, 1, UNITS), nn.Linear(UNITS, 1)

    def forward(self, inputs: Tensor, state=None) -> tuple[Tensor, object]:
        outputs, state = self.recurrent(inputs, state)
        return self.scores(outputs), state

    def inputs(self, segment) -> Tensor:
        """Return what the layer reads."""
        return segment.inputs

    def initial_state(self, batch_size: int):
        return self.recurrent.initial_state(batch_size)


def stream(steps: int, window: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (inputs, targets) of some steps at a time, (t, 1, 1) each."""
    generator, before = torch.Generator().manual_seed(0), torch.zeros(DELAY, 1, 1)
    for _ in range(0, steps, window):
        bits = torch.randint(0, 2, (window, 1, 1), generator=generator).float()
        all_bits = torch.cat([before, bits])
        before = all_bits[-DELAY:]
        yield bits, all_bits[:window]


def nats(scores: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, targets, reduction="sum")


def learn(method: str, steps: int) -> float:
    """Read the stream once, an update a window; return the mean nats of its last tenth."""
    torch.manual_seed(0)
    model = Recall(STREAMED[method])
    optimizer, state, late = torch.optim.Adam(model.parameters(), lr=3e-3), None, []
    for k, (inputs, targets) in enumerate(stream(steps, WINDOW)):
        found = gradients(model, inputs, nats, targets, method=method, state=state)
        state = found.state
        for name, parameter in model.named_parameters():
            parameter.grad = found.of[name] / WINDOW
        optimizer.step()
        if k >= 0.9 * steps / WINDOW:
            late.append(float(found.loss) / WINDOW)
    return sum(late) / len(late)


def go_back(method: str, steps: int) -> float:
    """Take one gradient over all steps of one sequence; return its loss a step."""
    torch.manual_seed(0)
    ((inputs, targets),) = stream(steps, steps)
    return float(gradients(Recall("lstm"), inputs, nats, targets, method=method).loss) / steps


def peak_resident() -> int:
    """Return the most bytes this process had in memory; getrusage would count what its parent had, too."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def child(method: str, steps: int) -> None:
    """Measure one row in this process, and print it."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    loss = learn(method, steps) if method in STREAMED else go_back(method, steps)
    seconds = time.perf_counter() - began
    peak = peak_resident()
    cell = STREAMED.get(method, "lstm")
    print(json.dumps({"method": method, "cell": cell, "steps": steps, "peak": peak, "nats": loss, "time": seconds}))


TABLE = Table(
    "Endurance",
    f"Peak resident memory, a layer of {UNITS} units, one row: a stream of delayed recall, an update every {WINDOW}"
    " steps; and one gradient over one whole sequence. A process that has loaded torch and learned little is the row of"
    " 1,000 steps. Chance is 0.693 nats.",
    (
        table.plain("method", -12, "method"),
        table.plain("cell", -6, "cell"),
        table.Column("steps", 9, lambda row: f"{row['steps']:,}"),
        table.Column("peak MB", 8, lambda row: f"{row['peak'] / 1e6:,.0f}"),
        table.Column("nats", 6, lambda row: f"{row['nats']:.3f}"),
        table.Column("seconds", 8, lambda row: f"{row['time']:.0f}"),
        table.VERDICT,
    ),
)

if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]))
