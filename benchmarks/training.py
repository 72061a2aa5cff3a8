"""A whole training step: `train language-model --cell lstm` beside a bare PyTorch loop of the same size.

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
from pathlib import Path

import torch
from torch import nn

from ostinato.training.language_model import train_language_model

BATCH, STEPS, EMBEDDING = 32, 64, 64
SHORT, LONG, ROUNDS = 20, 120, 5


def measure() -> list[dict]:
    rows = []
    print(f"{'layers x units':<16}{'bare symbols/s':>16}{'ostinato symbols/s':>20}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(_text())
        for num_layers, hidden in [(2, 256), (2, 128)]:
            rows.append(_row(text, Path(folder), num_layers, hidden))
    return rows


def _row(text: Path, folder: Path, num_layers: int, hidden: int) -> dict:
    bare, ours = [], []
    for round_number in range(ROUNDS + 1):
        taken = _bare(text, num_layers, hidden), _ours(text, folder, num_layers, hidden)
        if round_number:
            bare.append(taken[0])
            ours.append(taken[1])
    speeds = [BATCH * STEPS / statistics.median(times) for times in (bare, ours)]
    ratio = speeds[1] / speeds[0]
    print(f"{f'{num_layers} x {hidden}':<16}{speeds[0]:>16,.0f}{speeds[1]:>20,.0f}{ratio:>8.3f}")
    return {"num_layers": num_layers, "hidden_size": hidden, "bare": speeds[0], "ostinato": speeds[1], "ratio": ratio}


def _bare(text: Path, num_layers: int, hidden: int) -> float:
    """Return the seconds a step of a plain loop takes."""
    torch.manual_seed(0)
    characters = sorted(set(text.read_text()))
    index = {c: k for k, c in enumerate(characters)}
    symbols = torch.tensor([index[c] for c in text.read_text()])
    length = (len(symbols) - 1) // BATCH
    inputs, targets = (symbols[k : k + BATCH * length].view(BATCH, length).t().contiguous() for k in (0, 1))
    embedding, layer = nn.Embedding(len(characters), EMBEDDING), nn.LSTM(EMBEDDING, hidden, num_layers)
    scores = nn.Linear(hidden, len(characters))
    parameters = [p for module in (embedding, layer, scores) for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    state = None
    for step in range(LONG):
        if step == SHORT:
            began = time.perf_counter()
        part = slice(step * STEPS, (step + 1) * STEPS)
        outputs, state = layer(embedding(inputs[part]), state)
        state = tuple(s.detach() for s in state)
        loss = nn.functional.cross_entropy(scores(outputs).flatten(0, 1), targets[part].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return (time.perf_counter() - began) / (LONG - SHORT)


def _ours(text: Path, folder: Path, num_layers: int, hidden: int) -> float:
    seconds = []
    for steps in (SHORT, LONG):
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = train_language_model(
                text, out=folder / "run", overwrite=True, cell="lstm", hidden_size=hidden, num_layers=num_layers,
                embedding_size=EMBEDDING, dropout=0.0, batch_size=BATCH, k1=STEPS, steps=steps, validate_every=steps,
                sample_length=0,
            )  # fmt: skip
        seconds.append(outcome.seconds)
    return (seconds[1] - seconds[0]) / (LONG - SHORT)


def _text() -> str:
    """Return about a million characters of Python's standard library, plain ASCII."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    sources = [f.read_bytes() for f in files]
    return b"\n".join(s for s in sources if s.isascii()).decode()[:1_000_000]
