"""Memory for what the loop keeps to itself. It is used again: the system takes as long to hand out fresh pages as the
loop takes to fill them, and sequences are large.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading

import torch
from torch import Tensor

IDLE_BYTES = 1 << 28
"""How much may lie idle; beyond it, what was idle longest is given back."""
HUGE_FROM, _HUGE_PAGE, _MADV_HUGEPAGE = 1 << 22, 1 << 21, 14
"""From so many bytes on, pages are asked for 2 MB at a time: filling fresh memory of 16 MB took 0.6 ms, not 6.9."""
_lock = threading.Lock()


_sizes: dict[tuple[torch.dtype, int], list[_Block]] = {}
"""Blocks by type and by size, which is a power of two, or one and a half of one."""


class _Block:
    """Numbers, and how many references their memory has while nobody uses it."""

    def __init__(self, numbers: Tensor):
        self.numbers = numbers
        self.storage = numbers.untyped_storage()
        self.bytes = self.storage.nbytes()
        self.references = self.count()

    def count(self) -> int:
        return torch._C._storage_Use_Count(self.storage._cdata)  # type: ignore[attr-defined]

    @property
    def is_idle(self) -> bool:
        return self.count() == self.references


def fresh(like: Tensor, *shape: int) -> Tensor:
    """Return memory of its own for a result, of the type of `like`. Its numbers are arbitrary."""
    made = like.new_empty(shape)
    if sys.platform == "linux" and made.nbytes >= HUGE_FROM:
        first = -(-made.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        last = (made.data_ptr() + made.nbytes) // _HUGE_PAGE * _HUGE_PAGE
        # a hint: where the system has no such pages, it stays with small ones
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_HUGEPAGE)
    return made


def take(dtype: torch.dtype, *shape: int) -> Tensor:
    """Return a tensor whose memory is used again once nothing refers to it any more. Its numbers are arbitrary."""
    count = math.prod(shape)
    key = dtype, _rounded(count)
    with _lock:
        blocks = _sizes.setdefault(key, [])
        found = next((b for b in blocks if b.is_idle), None)
        if found is None:
            _make_room(key[1] * dtype.itemsize)
            found = _Block(fresh(torch.empty(0, dtype=dtype, device="cpu"), key[1]))
            blocks.append(found)
        return found.numbers[:count].view(shape)


def _rounded(count: int) -> int:
    """Return the next size that is a power of two, or one and a half of one."""
    power = 1 << max(count - 1, 1023).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power


def _make_room(coming: int) -> None:
    """Give idle blocks back, the largest first, where they would be more than is allowed."""
    idle = [b for blocks in _sizes.values() for b in blocks if b.is_idle]
    total = coming + sum(b.bytes for b in idle)
    for block in sorted(idle, key=lambda b: -b.bytes):
        if total <= IDLE_BYTES:
            return
        total -= block.bytes
        for blocks in _sizes.values():
            if block in blocks:
                blocks.remove(block)
