"""The model card of a run: its README.md, what the model is, what it reached and how to use it."""

from __future__ import annotations

import platform
import shlex
from pathlib import Path
from typing import Any

import torch

from ostinato._version import __version__
from ostinato.cells.catalogue import CATALOGUE
from ostinato.data.vocabulary import Vocabulary
from ostinato.training.config import Run
from ostinato.training.task import engines


def card(run: Run, folder: Path, vocabulary: Vocabulary, model: Any, figures: dict[str, Any]) -> str:
    """Return the text of the card; `figures` (step, nats, …) are those of the best weights."""
    typed = shlex.quote(str(folder))
    return f"""# {folder.name}

A language model trained by Ostinato {__version__} on `{run.data.file.name}`.

```
ostinato generate {typed}
{_again(run, typed)}
```

## Network

{_network(run, model)}
It reads and writes {vocabulary.size} symbols ({vocabulary.kind}).

## Scores

| | on the validation text |
|---|---|
| nats a symbol | {figures["nats"]:.4f} |
| bits a character | {figures["bits_per_character"]:.4f} |
| perplexity | {figures["perplexity"]:.4f} |
| symbols scored | {figures["symbols"]:,} |
| step of these weights | {figures["step"]:,} of {figures["steps"]:,} |

{_learning(run)}
Every setting stands in `config.yaml`, every measurement in `metrics.jsonl`.

Written by torch {torch.__version__}, Python {platform.python_version()}.
"""


def _again(run: Run, typed: str) -> str:
    if run.model.baseline == "kneser-ney":
        return f"ostinato evaluate {typed} FILE"
    return f"ostinato train language-model --out {typed} --resume"


def _network(run: Run, model: Any) -> str:
    settings = run.model
    layers = f"{settings.num_layers} layer{'s' if settings.num_layers > 1 else ''} of {settings.hidden_size} units"
    parameters = f"{sum(p.numel() for p in model.parameters()):,} parameters"
    if settings.baseline == "kneser-ney":
        return f"No network but a baseline: n-grams of up to {settings.order} symbols, interpolated Kneser-Ney.\n"
    if settings.baseline == "window-mlp":
        return f"A baseline without recurrence: {layers} over {settings.window} symbols,\n{parameters}.\n"
    equations = CATALOGUE[settings.cell].equations if settings.cell in CATALOGUE else settings.cell
    return f"""{layers},
{parameters}, engine {engines(model)}.
Each layer applies these equations at every step:

```
{_plain(equations)}
```
"""


def _learning(run: Run) -> str:
    if run.model.baseline == "kneser-ney":
        return "Counted in one reading of the text."
    return f"Trained with {run.training.optimizer}, {run.training.batch_size} lanes, {_gradient(run)}."


def _gradient(run: Run) -> str:
    training = run.training
    if training.gradient != "truncated":
        return f"gradients by `{training.gradient}`"
    back = training.k1 if training.k2 is None else training.k2
    return f"gradients every {training.k1} steps, through the last {back}"


def _plain(equations: str) -> str:
    lines = [line.strip() for line in equations.strip().splitlines()]
    return "\n".join(line for line in lines if line)
