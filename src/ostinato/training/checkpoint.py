"""The last checkpoint: one file with all that the next step depends on, so that resuming changes no bit.

Weights and their average, the optimizer's tensors, the random number generators and the carried recurrent state are
tensors; counters and scores are JSON in the header. One file, replaced whole, cannot disagree with itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import RunError
from ostinato.training.config import Run
from ostinato.training.gradient import State, map_state
from ostinato.training.run_folder import load_weights, read_tensors, write_tensors
from ostinato.training.stepping import Stepping, under


def save(
    path: Path,
    model: nn.Module,
    stepping: Stepping,
    state: State,
    device: torch.device,
    facts: dict[str, Any],
    kind: str = Run.kind,
) -> None:
    """Write the checkpoint; `facts` are the loop's own counters."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= stepping.tensors()
    tensors["random/cpu"] = torch.get_rng_state()
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    leaves: list[Tensor] = []
    map_state(lambda tensor: leaves.append(tensor) or tensor, state)
    tensors |= {f"state/{index}": leaf for index, leaf in enumerate(leaves)}
    write_tensors(path, tensors, {**facts, "stepping": stepping.facts(), "carries_state": state is not None}, kind)


def load(
    path: Path,
    model: nn.Module,
    stepping: Stepping,
    initial: State,
    device: torch.device,
    kind: str = Run.kind,
) -> tuple[State, dict[str, Any]]:
    """Restore what `save` wrote; return the state, shaped like `initial`, and the facts. Raises RunError."""
    tensors, facts = read_tensors(path, kind=kind)
    load_weights(path, model, under("model/", tensors))
    try:
        stepping.restore(tensors, facts["stepping"])
        torch.set_rng_state(tensors["random/cpu"])
        if device.type == "cuda" and "random/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random/cuda"], device)
        if not facts["carries_state"]:
            return None, facts
        leaves = iter([tensors[f"state/{index}"] for index in range(len(under("state/", tensors)))])
        state = map_state(lambda like: next(leaves).to(like.device), initial)
    except (KeyError, StopIteration) as error:
        raise RunError(str(path), f"damaged: a part is missing ({error})", "", "Begin anew with --overwrite") from None
    return state, facts
