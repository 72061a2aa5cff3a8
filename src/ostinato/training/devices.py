"""Where a run computes and in which precision, chosen by `accelerate`; what is not there is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs

from ostinato._errors import ConfigError
from ostinato.training.config import Learning, above_zero
from ostinato.training.gradient import DRAWN_TOGETHER, METHODS
from ostinato.training.trackers import chosen

MOST_THREADS = 1024  # OpenMP ends the process where it can start no more
LONGEST_WAIT = timedelta(days=2)


def make_accelerator(training: Learning, folder: Path) -> Accelerator:
    """Return the accelerator the settings ask for. Raises ConfigError for what this machine has not."""
    above_zero("threads", training.threads)
    if training.threads is not None and training.threads > MOST_THREADS:
        raise ConfigError("--threads", f"threads is {training.threads}", f"It is at most {MOST_THREADS}")
    _refuse_missing(training)
    _refuse_uneven(training)
    # accelerate keeps one state a process, and refuses a second run with another precision
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=training.device == "cpu" or (processes() > 1 and not torch.cuda.is_available()),
        mixed_precision="no" if training.precision == "fp32" else training.precision,
        log_with=chosen(training.tracker)[0],
        project_dir=folder,
        kwargs_handlers=[_group(training)] if processes() > 1 else None,
    )
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    return accelerator


def processes() -> int:
    """Return in how many processes this program was started (by torchrun or accelerate launch)."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def is_follower() -> bool:
    """Whether another process writes and prints for this one."""
    return processes() > 1 and int(os.environ.get("RANK", "0")) > 0


@contextmanager
def kept_threads() -> Iterator[None]:
    """Leave torch's number of threads as it was found."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _group(training: Learning) -> InitProcessGroupKwargs:
    """Return how processes meet: gloo on a CPU; NCCL for gradients on CUDA devices, gloo beside it for what is said."""
    cuda = training.device != "cpu" and torch.cuda.is_available()
    # the others wait as long as the first prepares a text or validates
    return InitProcessGroupKwargs(backend="cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=LONGEST_WAIT)


def _refuse_uneven(training: Learning) -> None:
    if training.batch_size % processes():
        raise ConfigError(
            "--batch-size",
            f"{training.batch_size} rows for {processes()} processes",
            "Every process reads as many rows as the others",
            f"Use a multiple of {processes()}",
        )
    drawn = getattr(training, "gradient", None)
    if processes() > 1 and drawn in DRAWN_TOGETHER:
        possible = ", ".join(name for name in METHODS if name not in DRAWN_TOGETHER)
        raise ConfigError(
            "--gradient",
            f"{drawn} in {processes()} processes",
            f"It draws signs for all rows at once. In several processes: {possible}",
            "Choose another, or train in one process",
        )


def _refuse_missing(training: Learning) -> None:
    cuda = torch.cuda.is_available()
    if training.device == "cuda" and not cuda:
        raise ConfigError("--device", "torch finds no CUDA device", "", "Use --device cpu or --device auto")
    if training.precision == "fp16" and (training.device == "cpu" or not cuda):
        raise ConfigError("--precision", "fp16 needs a CUDA device", "On a CPU: fp32 or bf16")


def move(segment: Any, device: torch.device) -> Any:
    """Return the segment, a named tuple, with its tensors on `device`."""
    parts = (v.to(device, non_blocking=True) if isinstance(v, torch.Tensor) else v for v in segment)
    return type(segment)(*parts)


def device_of(model: Any) -> torch.device:
    """Return where a model computes; one that holds no numbers computes on the CPU."""
    return next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
