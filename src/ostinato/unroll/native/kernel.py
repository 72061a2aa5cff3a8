"""A printed pass, compiled and called: tensors in by their names, nothing but addresses across the border."""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Mapping

import torch
from torch import Tensor

from ostinato._errors import EngineError
from ostinato.unroll.native import memory
from ostinato.unroll.native.compiler import library
from ostinato.unroll.native.printer import Source
from ostinato.unroll.native.threads import Pool, pool, usable_threads

FIXED = 8
"""Arguments every pass has, before its own: see `Arguments` in a printed source."""
_FORMATS = {"pointer": "q", "constant": "d"}
ENOUGH_ROWS = 6
"""Rows a thread must have for threads to share out rows; with fewer they share out units, and wait for each other."""

ALONE = 40_000
"""Multiplications in a step below which one thread is faster than two that wait for each other; where none waits, the
numbers of all steps below which one is faster than calling the others."""
MANY_UNITS = 32
"""Units a thread must have for threads to share them out where none waits: no fewer are dealt out at a time."""


class Kernel:
    """One pass of one cell at one size and type, ready to be called."""

    def __init__(self, source: Source, name: str, direction: str, dtype: torch.dtype):
        self.source, self.dtype = source, dtype
        self.direction = direction
        self._library = built = library(source.text, name)
        self.function = getattr(built, direction)
        self.function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
        self.function.restype = None
        self.numbers_needed = built.numbers_needed
        self.numbers_needed.argtypes, self.numbers_needed.restype = [ctypes.c_int64] * 2, ctypes.c_int64
        built.packed_needed.restype = ctypes.c_int64
        self.packed_size = built.packed_needed()
        self.format = struct.Struct(f"={FIXED}q" + "".join(_FORMATS[f.kind] for f in source.fields))
        self.fields = [(f.tensor, f.kind == "constant") for f in source.fields]

    def __call__(
        self,
        rows: tuple[int, ...],
        batch: int,
        tensors: Mapping[str, Tensor | int | None],
        constants: Mapping[str, float],
        *,
        reset: Tensor | None = None,
    ) -> None:
        """Run the pass. `rows` are those alive at each step; a tensor may be given as its address."""
        threads, by_rows = team(rows[0], len(rows), self.source)
        own = memory.take(self.dtype, self.packed_size + self.numbers_needed(batch, threads))
        packed = own.data_ptr()
        scratch = packed + self.packed_size * own.element_size()
        fixed = (len(rows), batch, by_rows, _counted(rows).data_ptr(), _address(reset), scratch, packed, True)
        values = [constants[name] if is_constant else _address(tensors[name]) for name, is_constant in self.fields]
        self.function(self.format.pack(*fixed, *values), ctypes.addressof(pool()), threads)

    def function_of_address(self):
        """Return the compiled function as one that takes its arguments as an array of 64-bit numbers."""
        function = self._library[self.direction]
        function.argtypes = [ctypes.c_void_p, ctypes.POINTER(Pool), ctypes.c_int64]
        function.restype = None
        return function


def _address(tensor: Tensor | int | None) -> int:
    if isinstance(tensor, Tensor):
        address = tensor.data_ptr()
        if not address and tensor.numel():
            kind, advice = type(tensor).__name__, "Use engine='eager'"
            raise EngineError("engine 'native'", f"a {kind} without numbers in memory was given", "", advice)
        return address
    return tensor or 0


@functools.lru_cache(maxsize=128)
def _counted(rows: tuple[int, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64, device="cpu")


def team(rows: int, steps: int, source: Source) -> tuple[int, bool]:
    """Return how many threads to use, and whether they share out rows (else units)."""
    threads = usable_threads()
    if not _is_large(rows, steps, source):
        return 1, True
    by_rows = rows >= ENOUGH_ROWS * threads
    if not source.waits:  # units cost no more than rows, and are as even
        by_rows |= rows >= threads and (rows % threads == 0 or source.units < MANY_UNITS * threads)
    return threads, by_rows


def _is_large(rows: int, steps: int, source: Source) -> bool:
    if rows * source.products >= ALONE:
        return True
    return not source.waits and rows * steps * source.units >= ALONE
