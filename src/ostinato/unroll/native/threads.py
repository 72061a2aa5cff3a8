"""The threads a kernel may use: those of torch's own OpenMP pool, as many as torch is told to use."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

import torch

_PARENT = os.getpid()


class Pool(ctypes.Structure):
    """The entry points of OpenMP, as `team.h` takes them; null where there are none."""

    _fields_ = [  # ctypes asks for a plain list
        ("parallel", ctypes.c_void_p),
        ("thread", ctypes.c_void_p),
        ("threads", ctypes.c_void_p),
    ]


@functools.cache
def pool() -> Pool:
    """Return the pool that torch's own kernels run on; an empty one where torch was built on something else."""
    folder = Path(torch.__file__).parent / "lib"
    for library in sorted(folder.glob("libtorch_cpu.*")):
        try:
            handle = ctypes.CDLL(str(library))  # loaded already; its symbols include those of its OpenMP library
            names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
            return Pool(*(ctypes.cast(getattr(handle, name), ctypes.c_void_p).value for name in names))
        except (OSError, AttributeError):
            continue
    return Pool()


def usable_threads() -> int:
    """Return how many threads a kernel may take: one in a forked process, which has inherited no pool."""
    if os.getpid() != _PARENT or not pool().parallel:
        return 1
    return torch.get_num_threads()
