"""A printed pass, compiled and called: tensors in by their names, nothing but addresses across the border."""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Mapping

import torch
from torch import Tensor

from ostinato.unroll.native.compiler import library
from ostinato.unroll.native.printer import Source
from ostinato.unroll.native.threads import pool, usable_threads

_FIXED = 8
"""Arguments every pass has, before its own: see `Arguments` in a printed source."""
_FORMATS = {"pointer": "q", "constant": "d"}


class Kernel:
    """One pass of one cell at one size and type, ready to be called."""

    def __init__(self, source: Source, name: str, direction: str, dtype: torch.dtype):
        self.source, self.dtype = source, dtype
        built = library(source.text, name)
        self.function = getattr(built, direction)
        self.function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
        self.function.restype = None
        self.numbers_needed = built.numbers_needed
        self.numbers_needed.argtypes, self.numbers_needed.restype = [ctypes.c_int64] * 2, ctypes.c_int64
        built.packed_needed.restype = ctypes.c_int64
        self.packed_size = built.packed_needed()
        self.format = struct.Struct(f"={_FIXED}q" + "".join(_FORMATS[f.kind] for f in source.fields))
        self._idle: list[Tensor] = []

    def __call__(
        self,
        rows: tuple[int, ...],
        batch: int,
        tensors: Mapping[str, Tensor | None],
        constants: Mapping[str, float],
        *,
        reset: Tensor | None = None,
        packed: Tensor | None = None,
    ) -> None:
        """Run the pass. `rows` are those alive at each step; `packed` holds matrices packed by an earlier call."""
        threads, by_rows = team(rows)
        counted = _counted(rows)
        memory = self._memory(self.numbers_needed(batch, threads) + (0 if packed is not None else self.packed_size))
        own = packed.data_ptr() if packed is not None else memory.data_ptr()
        scratch = memory.data_ptr() + (0 if packed is not None else self.packed_size * memory.element_size())
        fixed = (
            len(rows), batch, by_rows, counted.data_ptr(), _pointer(reset), scratch, own, packed is None,
        )  # fmt: skip
        values = [constants[f.tensor] if f.kind == "constant" else _pointer(tensors[f.tensor]) for f in self.source.fields]
        self.function(self.format.pack(*fixed, *values), ctypes.addressof(pool()), threads)
        self._idle.append(memory)

    def _memory(self, count: int) -> Tensor:
        """Return memory for one call; what earlier calls left is taken again, since fresh pages are slow."""
        while self._idle:
            try:
                memory = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if memory.numel() >= count:
                return memory
        return torch.empty(count, dtype=self.dtype)


def _pointer(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


@functools.lru_cache(maxsize=128)
def _counted(rows: tuple[int, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64)


def team(rows: tuple[int, ...]) -> tuple[int, bool]:
    """Return how many threads to use, and whether they share out rows (else units)."""
    threads = usable_threads()
    return threads, rows[0] >= 2 * threads
