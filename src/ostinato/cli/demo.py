"""`make demo`: trains on the source of Python's own standard library, which every machine with Python holds.

About three minutes on two cores: first the speed of this machine is measured, then as many steps are
taken as fit. Everything runs through the same calls as the command line.
"""

from __future__ import annotations

import math
import sys
import sysconfig
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ostinato.data.streams import Segment
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.sampling import Sampling
from ostinato.training.config import Data, Model, Run, Training
from ostinato.training.language_model import train
from ostinato.training.optimizers import make_optimizer
from ostinato.training.progress import make_display
from ostinato.training.trained import build_model, load, write

TEXT = Path("runs/python-source.txt")
RUN = Path("runs/demo")
MOST_BYTES = 4_000_000
TRAINING_S = 180
# tests, other people's packages, and tables that are data more than code
LEAVE_OUT = {"site-packages", "dist-packages", "test", "tests", "encodings", "pydoc_data", "idlelib", "turtledemo"}
PROMPT = "def "
BOLD = Sampling(temperature=0.6)


def main() -> int:
    """Collect the text, show the model's text before training and after it, and say what to type next."""
    TEXT.parent.mkdir(parents=True, exist_ok=True)
    text = collect(Path(sysconfig.get_path("stdlib")), MOST_BYTES)
    TEXT.write_text(text, encoding="utf-8", newline="\n")
    print(f"Collected {len(text):,} characters of Python's standard library into {TEXT}.\n")

    run = Run(
        Data(file=TEXT, validation="0.02"),
        Model(cell="lstm", hidden_size=256, num_layers=2),
        Training(batch_size=32, k1=64, learning_rate=4e-3, sample_length=160),
        out=RUN,
        overwrite=True,
    )
    _show("Untrained, the model writes:", _untrained(text, run.model))
    steps = _steps_that_fit(text, run)
    print(f"This machine takes about {steps:,} steps in three minutes. Training begins.\n")
    training = replace(run.training, steps=steps, validate_every=math.ceil(steps / 6))
    outcome = train(replace(run, training=training), make_display())
    if outcome.stopped:
        return 128 + outcome.stopped
    trained = load(RUN)
    _show("Trained, it writes:", PROMPT + "".join(trained.write(PROMPT, length=700, sampling=BOLD, seed=1)))
    print(NEXT)
    return 0


NEXT = f"""What to type next:
  ostinato generate {RUN} --prompt "class " --temperature 0.7
  ostinato evaluate {RUN} {TEXT}
  ostinato train language-model --out {RUN} --resume --epochs 20
  ostinato explain lstm
  ostinato train language-model YOUR_TEXT.txt"""


def collect(folder: Path, most_bytes: int) -> str:
    """Return the plain ASCII source files under `folder`, in the order of their names, up to `most_bytes`.

    The order is that of a hash of the name, so that the text does not stop within the letter `c`.
    """
    files = [f for f in folder.rglob("*.py") if not LEAVE_OUT.intersection(f.relative_to(folder).parts)]
    files.sort(key=lambda f: sha256(f.relative_to(folder).as_posix().encode()).hexdigest())
    parts: list[str] = []
    size = 0
    for file in files:
        content = file.read_bytes()
        if not content.isascii() or b"\0" in content or size + len(content) > most_bytes:
            continue
        parts.append(content.decode("ascii").replace("\r\n", "\n"))
        size += len(content)
    return "\n".join(parts)


def _untrained(text: str, settings: Model) -> str:
    """Return what a model writes before it has learned anything."""

    torch.manual_seed(0)
    vocabulary = Vocabulary.learn("char", [[text]])
    model = build_model(vocabulary.size, settings).eval()
    return PROMPT + "".join(write(model, vocabulary, PROMPT, length=200, sampling=BOLD, seed=1))


def _steps_that_fit(text: str, run: Run) -> int:
    """Time a few steps of the same size, and return how many such steps fit."""

    size = Vocabulary.learn("char", [[text]]).size
    model = build_model(size, run.model)
    optimizer = make_optimizer(run.training, model.parameters())
    symbols = torch.randint(size, (run.training.k1, run.training.batch_size))
    piece: Any = Segment(symbols, symbols, None)
    times = []
    for _ in range(30):
        began = time.monotonic()
        model.loss(piece)[0].div(symbols.numel()).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.monotonic() - began)
    return max(50, round(TRAINING_S / median(times)))


def _show(title: str, text: str) -> None:
    print(title)
    print("\n".join("    | " + line for line in text.splitlines()) + "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
