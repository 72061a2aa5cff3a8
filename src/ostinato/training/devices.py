"""Where a run computes and in which precision, chosen by `accelerate`; what is not there is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ostinato._errors import ConfigError
from ostinato.training.config import Learning, above_zero
from ostinato.training.trackers import chosen

MOST_THREADS = 1024  # OpenMP ends the process where it can start no more


def make_accelerator(training: Learning, folder: Path) -> Accelerator:
    """Return the accelerator the settings ask for. Raises ConfigError for what this machine has not."""
    above_zero("threads", training.threads)
    if training.threads is not None and training.threads > MOST_THREADS:
        raise ConfigError("--threads", f"threads is {training.threads}", f"It is at most {MOST_THREADS}")
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    _refuse_missing(training)
    # accelerate keeps one state a process, and refuses a second run with another precision
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=training.device == "cpu",
        mixed_precision="no" if training.precision == "fp32" else training.precision,
        log_with=chosen(training.tracker)[0],
        project_dir=folder,
    )
    if accelerator.num_processes > 1:
        raise ConfigError(
            "accelerate",
            f"{accelerator.num_processes} processes were started",
            "Training runs in one for now",
        )
    return accelerator


@contextmanager
def kept_threads() -> Iterator[None]:
    """Leave torch's number of threads as it was found."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _refuse_missing(training: Learning) -> None:
    cuda = torch.cuda.is_available()
    if training.device == "cuda" and not cuda:
        raise ConfigError("--device", "torch finds no CUDA device", "", "Use --device cpu or --device auto")
    if training.precision == "fp16" and (training.device == "cpu" or not cuda):
        raise ConfigError("--precision", "fp16 needs a CUDA device", "On a CPU: fp32 or bf16")
