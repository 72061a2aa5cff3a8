"""What a wrapper draws by chance for one call, from a generator where it was given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato._errors import ConfigError

PER = ("step", "sequence")
"""How often a mask is drawn."""


@dataclass(frozen=True)
class Mask:
    """Ones, and zeros where something is left out: `size` of them for each row, at every step or once a sequence."""

    size: int
    kept: float
    """How many are ones, on average."""
    per: str = "step"

    def draw(self, steps: int, rows: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return a mask (steps, rows, size) of the type of `like`, on its device."""
        times = steps if self.per == "step" else min(steps, 1)
        drawn = uniform((times, rows, self.size), like.device, generator) < self.kept
        return drawn.to(like.dtype).expand(steps, rows, self.size)


def uniform(shape: Sequence[int], device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Return numbers from 0 to 1, in float32 whatever the cell computes in, so that a seed gives the same masks."""
    if generator is None:
        return torch.rand(*shape, device=device)
    return torch.rand(*shape, device=generator.device, generator=generator).to(device)


def standard_normal(shape: Sequence[int], device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Return normal numbers of variance 1, in float32 whatever the cell computes in."""
    if generator is None:
        return torch.randn(*shape, device=device)
    return torch.randn(*shape, device=generator.device, generator=generator).to(device)


def check_share(name: str, share: object) -> float:
    """Return a share that may be left out; ConfigError where it is none."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise ConfigError(name, f"{share!r} was given", "A share from 0 up to, not including, 1")
    return float(share)


def check_per(per: str) -> str:
    """Return how often a mask is drawn; ConfigError where it is no such word."""
    if per not in PER:
        raise ConfigError("per", f"{per!r} was given", f"A mask is drawn once a {' or once a '.join(PER)}")
    return per


def check_generator(generator: object) -> None:
    """Refuse what numbers cannot be drawn from."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ConfigError(
            "generator",
            f"{type(generator).__name__} was given",
            "It is a torch.Generator, or None for torch's own",
            "Write torch.Generator().manual_seed(0)",
        )
