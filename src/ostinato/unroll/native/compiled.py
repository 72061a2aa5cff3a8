"""A definition on the way to its kernels: its four parts, the plan of its loop, and what was compiled so far."""

from __future__ import annotations

import functools

import torch

from ostinato.cells.definition import Definition
from ostinato.equations.hoist import Parts, split
from ostinato.equations.torch_reader import compile_torch
from ostinato.unroll.native.kernel import Kernel
from ostinato.unroll.native.over_time import linear
from ostinato.unroll.native.loop import NotCompiled, build_loop
from ostinato.unroll.native.passes import Passes, build_passes
from ostinato.unroll.native.printer import Source, print_pass

DTYPES = (torch.float32, torch.float64)


class Compiled:
    """What the native engine knows of one definition. Kernels are compiled when they are first asked for."""

    def __init__(self, definition: Definition, *, hoisted: bool):
        self.definition = definition
        self.parts: Parts = split(definition.fused, hoisted=hoisted)
        symbols = {(tensor, start, size): name for name, (tensor, start, size) in definition.symbols.items()}
        self.passes: Passes = build_passes(build_loop(self.parts.loop, definition.numbers, symbols))
        numbers = definition.numbers
        self.once, self.before, self.after = (
            compile_torch(part, numbers, linear) if part.outputs else None
            for part in (self.parts.once, self.parts.before, self.parts.after)
        )
        self.given = list(dict.fromkeys(p.tensor for p in self.passes.forward.reads.values()))
        pieces = self.passes.loop.pieces
        roles = {i.name: i.role for i in self.passes.loop.program.inputs}
        self.parameters = list(dict.fromkeys(p.tensor for n, p in pieces.items() if roles[n] == "parameter"))
        self.given += [t for t in dict.fromkeys(p.tensor for n, p in pieces.items() if roles[n] != "parameter") if t not in self.given]
        self._kernels: dict[tuple[str, torch.dtype], Kernel] = {}

    def source(self, direction: str, dtype: torch.dtype = torch.float32) -> Source:
        """Return the C++ of one direction."""
        made = self.passes.forward if direction == "forward" else self.passes.backward
        states = ", ".join(f"{name} {size}" for name, size in self.definition.states.items())
        return print_pass(made, f"{direction}: states {states}", double=dtype == torch.float64)

    def kernel(self, direction: str, dtype: torch.dtype) -> Kernel:
        """Return one direction, compiled."""
        key = direction, dtype
        if key not in self._kernels:
            self._kernels[key] = Kernel(self.source(direction, dtype), direction, direction, dtype)
        return self._kernels[key]


@functools.lru_cache(maxsize=256)
def compiled(definition: Definition, *, hoisted: bool = True) -> Compiled | str:
    """Return what is known of a definition, or in a clause why its loop cannot be compiled."""
    try:
        return Compiled(definition, hoisted=hoisted)
    except NotCompiled as reason:
        return str(reason)
