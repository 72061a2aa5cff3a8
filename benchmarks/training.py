"""A whole training step: `train language-model --cell gru` or `lstm` beside a bare PyTorch loop of the same size.

Both read the same text in the same lanes, with the same optimizer, clipping and number of symbols a step. A run of
ours is taken at two lengths, and the difference divided by the steps between them: start, one validation and the last
checkpoint fall out, lanes, logging and reports stay in.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato.training.language_model import train_language_model

BATCH, STEPS, EMBEDDING = 32, 64, 64
SHORT, LONG, ROUNDS = 20, 120, 5
SIZES = [(2, 256), (2, 128)]
"""(layers, units)"""
LAYERS = {"gru": nn.GRU, "lstm": nn.LSTM}
OVER_BARE = {"gru": 2.0}


def measure(settings: Settings) -> list[Row]:
    """Print and return the table."""
    return table.show(TABLE, _rows(settings))


def _rows(settings: Settings) -> Iterator[Row]:
    sizes, rounds = (SIZES[1:], 1) if settings.quick else (SIZES, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(source_text())
        for cell in LAYERS:
            for num_layers, hidden in sizes:
                yield _row(text, Path(folder), cell, num_layers, hidden, rounds)


def _row(text: Path, folder: Path, cell: str, num_layers: int, hidden: int, rounds: int) -> Row:
    bare, ours = [], []
    for round_number in range(rounds + 1):
        taken = _bare(text, cell, num_layers, hidden), _ours(text, folder, cell, num_layers, hidden)
        if round_number:
            bare.append(taken[0])
            ours.append(taken[1])
    speeds = [BATCH * STEPS / statistics.median(times) for times in (bare, ours)]
    ratio = speeds[1] / speeds[0]
    targets = [table.at_least("bare", ratio, OVER_BARE[cell])] if cell in OVER_BARE else []
    return {
        "cell": cell, "num_layers": num_layers, "hidden_size": hidden, "bare": speeds[0], "ostinato": speeds[1],
        "ratio": ratio, "targets": targets,
    }  # fmt: skip


def _bare(text: Path, cell: str, num_layers: int, hidden: int) -> float:
    """Return the seconds a step of a plain loop takes."""
    torch.manual_seed(0)
    characters = sorted(set(text.read_text()))
    index = {c: k for k, c in enumerate(characters)}
    symbols = torch.tensor([index[c] for c in text.read_text()])
    length = (len(symbols) - 1) // BATCH
    inputs, targets = (symbols[k : k + BATCH * length].view(BATCH, length).t().contiguous() for k in (0, 1))
    embedding, layer = nn.Embedding(len(characters), EMBEDDING), LAYERS[cell](EMBEDDING, hidden, num_layers)
    scores = nn.Linear(hidden, len(characters))
    parameters = [p for module in (embedding, layer, scores) for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    state = None
    for step in range(LONG):
        if step == SHORT:
            began = time.perf_counter()
        part = slice(step * STEPS, (step + 1) * STEPS)
        outputs, state = layer(embedding(inputs[part]), state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss = nn.functional.cross_entropy(scores(outputs).flatten(0, 1), targets[part].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return (time.perf_counter() - began) / (LONG - SHORT)


def _ours(text: Path, folder: Path, cell: str, num_layers: int, hidden: int) -> float:
    seconds = []
    for steps in (SHORT, LONG):
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = train_language_model(
                text, out=folder / "run", overwrite=True, cell=cell, hidden_size=hidden, num_layers=num_layers,
                embedding_size=EMBEDDING, dropout=0.0, batch_size=BATCH, k1=STEPS, steps=steps, validate_every=steps,
                sample_length=0,
            )  # fmt: skip
        seconds.append(outcome.seconds)
    return (seconds[1] - seconds[0]) / (LONG - SHORT)


def source_text() -> str:
    """Return about a million characters of Python's standard library, plain ASCII."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    sources = [f.read_bytes() for f in files]
    return b"\n".join(s for s in sources if s.isascii()).decode()[:1_000_000]


TABLE = Table(
    "A training step",
    "`train language-model --cell CELL` beside a bare PyTorch loop with the same text, lanes, optimizer and clipping:"
    f" {BATCH} lanes, {STEPS} steps, embedding {EMBEDDING}. Target for the GRU: {OVER_BARE['gru']:g} times the bare"
    " loop's symbols a second.",
    (
        table.Column("cell", -5, lambda row: row.get("cell", "lstm")),
        table.Column("layers x units", -14, lambda row: f"{row['num_layers']} x {row['hidden_size']}"),
        table.Column("bare symbols/s", 14, lambda row: f"{row['bare']:,.0f}"),
        table.Column("ostinato symbols/s", 18, lambda row: f"{row['ostinato']:,.0f}"),
        table.Column("× bare", 7, lambda row: f"{row['ratio']:.3f}"),
        table.VERDICT,
    ),
)
