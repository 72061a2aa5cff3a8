"""How a model learns: the settings of the loop and of gradients over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ostinato.training.config.feeding import Feeding
from ostinato.training.config.optimisation import Optimisation
from ostinato.training.config.over_time import OverTime


@dataclass(frozen=True)
class Running:
    """How much is done, where, and what is said of it."""

    batch_size: int = 32
    """Rows (lanes of a text, sequences of a task) read side by side."""
    steps: int | None = None
    """Steps to take; with epochs too, whichever ends first."""
    validate_every: int | None = None
    """Steps between two validations (default: about twenty in a run)."""
    accumulate: int = 1
    """Groups of rows that an update takes one after the other: the same gradient in a share of the memory."""
    compile: bool = False
    """Compile layers that would run step by step in Python (torch.compile); others are compiled already."""
    on_nan: Literal["stop", "skip"] = "stop"
    """What follows a loss or gradient that is not finite: the end of the run, or the next step without that update."""
    seed: int = 0
    """Seed of every random choice."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers the products are computed in."""
    threads: int | None = None
    """Threads of the CPU (default: torch's choice)."""
    gradient_horizon: bool = True
    """Measure now and then how far back gradients reach, in at most a fiftieth of the time."""
    tracker: Literal[
        "auto", "none", "tensorboard", "wandb", "mlflow", "aim", "comet_ml", "clearml", "dvclive", "swanlab", "trackio"
    ] = "auto"  # fmt: skip
    """Where the figures are sent beside metrics.jsonl: auto is TensorBoard where it is installed."""


@dataclass(frozen=True)
class Learning(Feeding, OverTime, Optimisation, Running):
    """How it learns: what all models are told. The help lists the last of these classes first."""


@dataclass(frozen=True)
class Training(Learning):
    """How it learns."""

    epochs: float | None = None
    """Times the text is read (default: 10, but at most 10,000,000 symbols)."""
    sample_length: int = 200
    """Symbols written as a sample at each validation; 0 for none."""
