"""Memory that is not there, as an error that says which size to lower."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ostinato._errors import RunError
from ostinato.training.config import Learning, Network
from ostinato.training.gradient.names import DRAWN_TOGETHER

_SAID = (
    "can't allocate memory", "Storage size calculation overflowed", "std::bad_alloc",
    "could not create a primitive", "could not create a memory",
)  # fmt: skip
"""What torch and oneDNN say in a RuntimeError where memory ends; oneDNN says no more than this."""


@contextmanager
def explained(training: Learning, model: Network) -> Iterator[None]:
    """Turn what fails for want of memory into a RunError with the sizes of the run."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(str(error), training, model) from None
    except RuntimeError as error:
        if not any(said in str(error) for said in _SAID):
            raise
        raise _too_large(str(error), training, model) from None


def _too_large(said: str, training: Learning, model: Network) -> RunError:
    steps = training.gradient in ("truncated", "randomized")
    stood = [f"batch_size is {training.batch_size}" + f" in {training.accumulate} groups" * (training.accumulate > 1)]
    if steps:
        stood.append(f"k1 {training.k1}, k2 {training.k1 if training.k2 is None else training.k2}")
    stood.append(f"hidden_size {model.hidden_size} in {model.num_layers} layers")
    lower = "--batch-size" + ", --k1, --k2" * steps + " or --hidden-size"
    groups, ways = min(training.batch_size, 2 * training.accumulate), []
    if groups > training.accumulate and training.gradient not in DRAWN_TOGETHER:
        ways.append(f"--accumulate {groups}, which a run may go on with")
    if training.gradient == "checkpointed":
        ways.append("a smaller --memory-budget")
    elif training.gradient in ("truncated", "full", "randomized"):
        ways.append("--gradient checkpointed")
    advice = f"Use {', or '.join(ways)}; or lower {lower}" if ways else f"Lower {lower}"
    return RunError("memory", f"not enough: {_amount(said)}", ", ".join(stood), advice)


def _amount(said: str) -> str:
    """Return how much was asked for, as far as the allocator says."""
    found = re.search(r"tried to allocate (\d+) bytes", said)
    if found:
        return f"{int(found[1]) / 2**20:,.0f} MiB more were asked for"
    found = re.search(r"(?:ried|nable) to allocate ([\d.]+ \w+)", said)
    return f"{found[1]} more were asked for" if found else "the sizes are beyond what can be asked for"
