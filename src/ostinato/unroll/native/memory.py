"""Memory for sequences. It is used again once nothing refers to it: the system takes as long to hand out fresh pages as
the loop takes to fill them, and sequences are large.
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
"""Blocks by type and by size: a power of two, or one and a half of one; the very size, where a caller is given it."""


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
        return self.count() == self.references and self.is_ours

    @property
    def is_ours(self) -> bool:
        """Whether nobody has moved the numbers into memory that processes share, or changed its size."""
        return self.storage.nbytes() == self.bytes and not self.storage.is_shared()


def fresh(like: Tensor, *shape: int) -> Tensor:
    """Return memory of its own for a result, of the type of `like`. Its numbers are arbitrary.

    It is no larger than its shape, for who saves a tensor saves all of its memory.
    """
    count = math.prod(shape)
    if count * like.dtype.itemsize < HUGE_FROM or like.device.type != "cpu":
        return like.new_empty(shape)
    return _taken(like.dtype, count, shape)


def take(dtype: torch.dtype, *shape: int) -> Tensor:
    """Return a tensor for what stays within the engine. Its numbers are arbitrary."""
    count = math.prod(shape)
    return _taken(dtype, _rounded(count), shape)


def _taken(dtype: torch.dtype, count: int, shape: tuple[int, ...]) -> Tensor:
    """Return a tensor at the head of a block of `count` numbers, used again once nothing refers to it any more."""
    with _lock:
        blocks = _sizes.setdefault((dtype, count), [])
        blocks[:] = [block for block in blocks if block.is_ours]
        found = next((b for b in blocks if b.is_idle), None)
        if found is None:
            _make_room(count * dtype.itemsize)
            found = _Block(_new(dtype, count))
            blocks.append(found)
        # no view of the block, for what is a result may be changed
        return torch.empty(0, dtype=dtype, device="cpu").set_(found.storage, 0, shape)  # type: ignore[call-overload]


def _new(dtype: torch.dtype, count: int) -> Tensor:
    made = torch.empty(count, dtype=dtype, device="cpu")
    if sys.platform == "linux" and made.nbytes >= HUGE_FROM:
        first = -(-made.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        last = (made.data_ptr() + made.nbytes) // _HUGE_PAGE * _HUGE_PAGE
        # a hint: where the system has no such pages, it stays with small ones
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_HUGEPAGE)
    return made


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
