"""Tensors used together lie on one device: a compiled loop is told addresses, and would read what is not there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ostinato._errors import ConfigError


def check_weights(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """ConfigError where a tensor of a cell is on another device than its inputs."""
    for name, tensor in tensors.items():
        if tensor.device != device:
            advice = f"Use inputs.to('{tensor.device}') or cell.to('{device}')"
            raise ConfigError("inputs", f"they are on {device}", f"The cell's {name} is on {tensor.device}", advice)


def check_beside(name: str, value: Tensor | None, device: torch.device) -> None:
    """ConfigError where what is given beside the inputs is on another device than they."""
    if value is not None and value.device != device:
        advice = f"Use {name}.to('{device}')"
        raise ConfigError(name, f"it is on {value.device}", f"The inputs are on {device}", advice)
