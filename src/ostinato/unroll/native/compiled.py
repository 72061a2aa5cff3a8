"""A definition on the way to its kernels: its four parts, the plan of its loop, and what was compiled so far."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.definition import Definition
from ostinato.cells.reading import BoundReading, Reading
from ostinato.equations.hoist import Parts, split
from ostinato.equations.program import Program
from ostinato.equations.torch_reader import compile_torch
from ostinato.unroll.native import over_time
from ostinato.unroll.native.compiler import NotBuilt
from ostinato.unroll.native.kernel import Kernel
from ostinato.unroll.native.loop import NotCompiled, build_loop
from ostinato.unroll.native.passes import Passes, Place, all_of, build_passes
from ostinato.unroll.native.printer import Source, print_pass


class Compiled:
    """What the native engine knows of one definition. Kernels are compiled when they are first asked for."""

    def __init__(self, definition: Definition | Reading, *, hoisted: bool, deferred: bool):
        self.definition = definition
        self.parts: Parts = split(definition.fused, hoisted=hoisted, deferred=deferred)
        symbols = {(tensor, start, size): name for name, (tensor, start, size) in definition.symbols.items()}
        self.passes: Passes = build_passes(build_loop(self.parts.loop, definition.numbers, symbols))
        parts = (self.parts.once, self.parts.before, self.parts.after)
        self._once, self._before, self._after = (self._reader(part) for part in parts)
        loop = self.passes.loop
        tensors = {p.tensor: loop.program.by_name[name].role for name, p in loop.pieces.items()}  # type: ignore[union-attr]
        self.parameters = [t for t, role in tensors.items() if role == "parameter"]
        self.given = [t for t, role in tensors.items() if role != "parameter"]
        self.constants = loop.constants
        self.widths = {t: math.prod(shape) for t, shape in loop.widths.items()}
        self._kernels: dict[tuple[str, torch.dtype, bool], Kernel] = {}
        self._wirings: dict[tuple[bool, bool, bool], Wiring] = {}

    def _reader(self, part: Program):
        labels = [label for label, _ in part.outputs]
        return (labels, compile_torch(part, self.definition.numbers, over_time.linear)) if labels else None

    def before_loop(self, bound: BoundEquations | BoundReading, data: Tensor, dt: Tensor | None) -> dict[str, Any]:
        """Return every value that the loop and what comes after it may read, by name."""
        values = {**bound.parts(data), **bound.fixed}
        if dt is not None:
            values["dt"] = dt.unsqueeze(-1)
        for reader in (self._once, self._before):
            if reader is not None:
                values |= zip(reader[0], reader[1](values), strict=True)
        return values

    def after_loop(self, values: Mapping[str, Any], made: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs, from what came before the loop and what it made."""
        sequences = self.passes.sequences
        if self._after is None:
            return made[sequences["y"]]
        exported = {
            value: made[sequences[label]] for label, value in self.parts.loop.outputs if sequences[label] in made
        }
        return self._after[1]({**values, **exported})[0]

    def source(self, direction: str, dtype: torch.dtype = torch.float32, *, narrow: bool = False) -> Source:
        """Return the C++ of one direction."""
        made = self.passes.forward if direction == "forward" else self.passes.backward
        states = ", ".join(f"{name} {size}" for name, size in self.definition.states.items())
        return print_pass(made, f"{direction}: states {states}", double=dtype == torch.float64, narrow=narrow)

    def kernel(self, direction: str, dtype: torch.dtype, *, narrow: bool = False) -> Kernel:
        """Return one direction, compiled; with `narrow`, its products take bfloat16 where the machine has them."""
        key = direction, dtype, narrow
        if key not in self._kernels:
            source = self.source(direction, dtype, narrow=narrow)
            self._kernels[key] = Kernel(source, direction, direction, dtype)
        return self._kernels[key]

    def build(self, dtype: torch.dtype, *, backward: bool, narrow: bool) -> None:
        """Compile what a call needs, all of it before the call begins; NotBuilt where that fails."""
        try:
            self.kernel("forward", dtype, narrow=narrow)
            if backward:
                self.kernel("backward", dtype, narrow=narrow)
                over_time.build(dtype)
        except NotBuilt as failure:
            _not_built[self.definition] = failure.got
            raise

    def wiring(self, keep: bool, resets: bool, recompute: bool) -> Wiring:
        """Return which tensors go where in a call that keeps every state, has rows that start anew, or saves less."""
        key = keep, resets, recompute
        if key not in self._wirings:
            self._wirings[key] = Wiring(self, *key)
        return self._wirings[key]


class Wiring:
    """Which tensors a call of the loop takes, makes and saves, by name and in order; settled once, not at each call."""

    def __init__(self, known: Compiled, keep: bool, resets: bool, recompute: bool):
        self.known, self.recompute = known, recompute
        passes = known.passes
        self.states = [c.name for c in passes.forward.carried]
        self.last = [f"{s} last" for s in self.states]
        starts, initials = [f"{s} start" for s in self.states], [f"{s} initial" for s in self.states]
        self.tensors = [*known.given, *known.parameters, *starts, *(initials if resets else [])]
        read = {i.name for i in known.parts.after.inputs}
        states = {f"{s}'" for s in self.states}
        wanted = [label for label, v in known.parts.loop.outputs if label not in states or keep or v in read]
        sequences = list(dict.fromkeys(passes.sequences[label] for label in wanted))
        self.results = [*sequences, *self.last]
        self.arriving = [f"d {name}" for name in self.results]
        written = {t: width for t, (width, _) in passes.forward.widths_written.items() if t != "saved"}
        widths = {all_of(c.name): c.size for c in passes.forward.carried} | written
        self.made_by_forward = [(name, widths[name]) for name in dict.fromkeys([*sequences, *written])]
        self.absent = dict.fromkeys(("saved", *map(all_of, self.states), *initials))
        self.absent_gradients = dict.fromkeys(f"d {all_of(s)}" for s in self.states)
        self.saved = self._saved([*starts, *(initials if resets else []), *(known.given if recompute else [])])
        self.gradients = [f"d {name}" for name in self.tensors]
        self.totals = self._totals()
        self.over_time = {*known.given, *sequences, *map(all_of, self.states), "saved"}
        self.gradients_over_time = {f"d {name}" for name in self.over_time}

    def _saved(self, more: list[str]) -> list[str]:
        """Return what is kept for the backward pass."""
        passes = self.known.passes
        made = passes.backward
        read = {p.tensor for p in made.reads.values() if not p.tensor.startswith("d ")}
        read |= {
            b.right.tensor for b in passes.blocks if isinstance(b.right, Place) and not b.right.tensor.startswith("v ")
        }
        read |= {*map(all_of, self.states), *more, *self.known.parameters}
        return sorted(read - ({"saved"} if self.recompute else set()))

    def _totals(self) -> list[tuple[str, str, int]]:
        """Return (value, parameter, start): where each sum over rows and steps is part of a gradient."""
        passes = self.known.passes
        return [
            (value, passes.loop.pieces[name].tensor, passes.loop.pieces[name].start)
            for name, value in passes.vector_gradients.items()
        ]


_not_built: dict[Definition | Reading, str] = {}


def why_not_built(definition: Definition | Reading) -> str | None:
    """Return why the loop of a definition could not be built in this process; None where it was, or nobody tried."""
    return _not_built.get(definition)


@functools.lru_cache(maxsize=256)
def compiled(definition: Definition | Reading, *, hoisted: bool = True, deferred: bool = True) -> Compiled | str:
    """Return what is known of a definition, or in a clause why its loop cannot be compiled; see `split`."""
    try:
        return Compiled(definition, hoisted=hoisted, deferred=deferred)
    except NotCompiled as reason:
        return str(reason)
