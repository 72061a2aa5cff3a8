"""Memory for what the loop keeps to itself. It is used again: the system takes as long to hand out fresh pages as the
loop takes to fill them, and sequences are large.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

IDLE_BYTES = 1 << 28
"""How much may lie idle; beyond it, what was idle longest is given back."""
_lock = threading.Lock()


@dataclass(eq=False)
class _Block:
    numbers: Tensor
    references: int
    """How many references its storage has while nobody uses it."""

    @property
    def is_idle(self) -> bool:
        return _references(self.numbers) == self.references

    @property
    def bytes(self) -> int:
        return self.numbers.numel() * self.numbers.element_size()


_blocks: list[_Block] = []


def take(dtype: torch.dtype, *shape: int) -> Tensor:
    """Return a tensor whose memory is used again once nothing refers to it any more. Its numbers are arbitrary."""
    count = math.prod(shape)
    with _lock:
        found = next((b for b in _blocks if b.numbers.dtype == dtype and _fits(b.numbers.numel(), count) and b.is_idle), None)
        if found is None:
            numbers = torch.empty(count, dtype=dtype)
            found = _Block(numbers, _references(numbers))
            _give_back(found.bytes)
        else:
            _blocks.remove(found)
        _blocks.append(found)
        return found.numbers[:count].view(shape)


def _fits(have: int, wanted: int) -> bool:
    return wanted <= have <= 2 * wanted + 1024


def _give_back(coming: int) -> None:
    """Forget blocks that have been idle longest, until the rest is small enough."""
    idle = [b for b in _blocks if b.is_idle]
    total = coming + sum(b.bytes for b in idle)
    for block in idle:
        if total <= IDLE_BYTES:
            break
        total -= block.bytes
        _blocks.remove(block)


def _references(numbers: Tensor) -> int:
    return torch._C._storage_Use_Count(numbers.untyped_storage()._cdata)  # type: ignore[attr-defined]
