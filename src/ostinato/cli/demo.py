"""`make demo`: trains on the source of Python's own standard library, which every machine with Python holds.

About three minutes on two cores: first the speed of this machine is measured, then as many steps are
taken as fit; should the machine be slower than it seemed, training stops after four minutes all the same.
Everything runs through the same calls as the command line.
"""

from __future__ import annotations

import math
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import quantiles
from typing import Any

import torch

from ostinato.data.lanes import Segment
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.sampling import Sampling
from ostinato.training.config import Data, Model, Run, Training
from ostinato.training.language_model import train
from ostinato.training.optimizers import make_optimizer
from ostinato.training.progress import make_display
from ostinato.training.trained import build_model, open_language_model, write

TEXT = Path("runs/python-source.txt")
RUN = Path("runs/demo")
MOST_BYTES = 4_000_000
TRAINING_S = 180
LIMIT_S = 240
MODEL = Model(cell="lstm", hidden_size=256, num_layers=2)
TRAINING = Training(batch_size=32, k1=64, learning_rate=4e-3, sample_length=160)
# tests, other people's packages, and tables that are data more than code
LEAVE_OUT = {"site-packages", "dist-packages", "test", "tests", "encodings", "pydoc_data", "idlelib", "turtledemo"}
LEAVE_OUT |= {"entities.py", "_sysconfigdata"}
PROMPTS = ("\n\ndef main(arguments):\n    if ", "\n\nclass Queue:\n    def ")
# min-p or top-p would cut off every way out of a long run of spaces, where a space is all but certain
BOLD = Sampling(temperature=0.6)


def main() -> int:
    """Collect the text, show the model's text before training and after it, and say what to type next."""
    TEXT.parent.mkdir(parents=True, exist_ok=True)
    text = collect(Path(sysconfig.get_path("stdlib")), MOST_BYTES)
    TEXT.write_text(text, encoding="utf-8", newline="\n")
    print(f"Collected {len(text):,} characters of Python's standard library into {TEXT}.\n")

    _show("Untrained, the model writes:", _untrained(text))
    steps = _steps_that_fit(text)
    print(f"This machine takes about {steps:,} steps in three minutes. Training begins.\n", flush=True)
    training = replace(TRAINING, steps=steps, validate_every=math.ceil(steps / 6))
    data = Data(file=TEXT, validation="0.02")
    with _time_limit() as limit:
        outcome = train(Run(data, MODEL, training, out=RUN, overwrite=True), make_display())
    if outcome.stopped and not limit.is_set():
        return 128 + outcome.stopped
    if outcome.best is None:
        print(f"Too slow today to get anywhere. To go on: ostinato train language-model --out {RUN} --resume")
        return 0
    trained = open_language_model(RUN)
    pieces = [prompt + "".join(trained.write(prompt, length=400, sampling=BOLD, seed=2)) for prompt in PROMPTS]
    _show("Trained, it writes:", "\n".join(pieces))
    print(NEXT)
    return 0


@contextmanager
def _time_limit() -> Iterator[threading.Event]:
    """Ask the training to stop, as a SIGTERM would, after LIMIT_S; the event says that it was us."""
    reached, finished = threading.Event(), threading.Event()

    def stop() -> None:
        # until training listens, the signal would end the process
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            if finished.wait(0.1):
                return
        reached.set()
        signal.raise_signal(signal.SIGTERM)

    timer = threading.Timer(LIMIT_S, stop)
    timer.daemon = True
    timer.start()
    try:
        yield reached
    finally:
        finished.set()
        timer.cancel()


NEXT = f"""What to type next:
  ostinato generate {RUN} --prompt "class " --temperature 0.8
  ostinato evaluate {RUN} {TEXT}
  ostinato inspect {RUN}
  ostinato train language-model --out {RUN} --resume --epochs 20
  ostinato explain lstm
  ostinato train language-model YOUR_TEXT.txt"""


def collect(folder: Path, most_bytes: int) -> str:
    """Return the plain ASCII source files under `folder`, in the order of their names, up to `most_bytes`.

    The order is that of a hash of the name, so that the text does not stop within the letter `c`.
    """
    files = [f for f in folder.rglob("*.py") if not LEAVE_OUT.intersection(_names(f.relative_to(folder)))]
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


def _names(path: Path) -> list[str]:
    """Return the folders and the file, without what follows `__` in names made for one machine."""
    return [part if part.startswith("__") else part.split("__")[0] for part in path.parts]


def _untrained(text: str) -> str:
    """Return what a model writes before it has learned anything."""

    torch.manual_seed(0)
    vocabulary = Vocabulary.learn("char", [[text]])
    model = build_model(vocabulary.size, MODEL).eval()
    prompt = PROMPTS[0]
    return prompt + "".join(write(model, vocabulary, prompt, length=200, sampling=BOLD, seed=1))


def _steps_that_fit(text: str) -> int:
    """Time a few steps of the same size, and return how many such steps fit."""

    size = Vocabulary.learn("char", [[text]]).size
    model = build_model(size, MODEL)
    optimizer = make_optimizer(TRAINING, model)
    symbols = torch.randint(size, (TRAINING.k1, TRAINING.batch_size))
    piece: Any = Segment(symbols, symbols, None)
    times = []
    for _ in range(30):
        began = time.monotonic()
        model.loss(piece)[0].div(symbols.numel()).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.monotonic() - began)
    # the quicker steps are those nothing else on the machine disturbed; validations and samples take a tenth
    return max(50, round(0.9 * TRAINING_S / quantiles(times, n=4)[0]))


def _show(title: str, text: str) -> None:
    print(title)
    print("\n".join("    | " + line for line in text.strip().splitlines()) + "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
