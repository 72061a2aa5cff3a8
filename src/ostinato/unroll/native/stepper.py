"""One step at a time by the compiled loop: matrices are packed and arguments written once, pointers change a step."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, State
from ostinato.cells.reading import BoundReading
from ostinato.unroll.native.compiled import Compiled, compiled
from ostinato.unroll.native.kernel import FIXED, team
from ostinato.unroll.native.passes import all_of
from ostinato.unroll.native.threads import pool, usable_threads


class Stepper:
    """A compiled step with the weights it had when this was made, and the state of `batch` rows."""

    def __init__(self, bound: BoundEquations | BoundReading | BoundCell, batch: int, dtype: torch.dtype):
        bound = BoundReading(bound) if isinstance(bound, BoundCell) else bound
        known = compiled(bound.definition, hoisted=False, deferred=False)
        assert isinstance(known, Compiled)
        self.definition, self.states = bound.definition, [c.name for c in known.passes.forward.carried]
        self.output_size = bound.output_size
        kernel = known.kernel("forward", dtype)
        self.threads, by_rows = team(batch, 1, kernel.source)
        self._function = kernel.function_of_address()
        self._pool = pool()
        here: dict[str, Any] = {"dtype": dtype, "device": "cpu"}
        values = known.before_loop(bound, torch.zeros(1, bound.input_size, **here), torch.zeros(1, **here))
        held = {name: torch.as_tensor(values[name], **here).detach().contiguous() for name in known.parameters}
        size = kernel.numbers_needed(batch, self.threads)
        held |= {"memory": torch.empty(size, **here), "packed": torch.empty(kernel.packed_size, **here)}
        held["rows"] = torch.tensor([batch], device="cpu")
        for name, width in known.wiring(False, False, False).made_by_forward:
            held[name] = torch.empty(batch, width, **here)
        self.turns = [
            {c.name: torch.zeros(batch, c.size, **here) for c in known.passes.forward.carried} for _ in range(2)
        ]
        self._held, self._turn = held, 0
        given = {name: torch.zeros(batch, known.widths[name], **here) for name in known.given}
        output = known.passes.sequences["y"]
        self._slots = {f.tensor: FIXED + k for k, f in enumerate(kernel.source.fields)}
        self._output_slot = self._slots[output]
        fixed = (1, batch, by_rows, held["rows"].data_ptr(), 0, held["memory"].data_ptr(), held["packed"].data_ptr(), 1)
        constants = {name: float(values[value]) for name, value in known.constants.items()}
        self._calls = [self._written(kernel, fixed, turn, given, constants) for turn in range(2)]
        self.step(given, torch.empty(batch, self.output_size, **here))  # packs the matrices
        for call in self._calls:
            call[FIXED - 1] = 0
        self._turn = 0

    def _written(self, kernel, fixed, turn: int, given: Mapping[str, Tensor], constants: Mapping[str, float]):
        """Return the arguments of a step that goes from one of the two states to the other."""
        absent = ["saved", *map(all_of, self.states), *(f"{s} initial" for s in self.states)]
        named: dict[str, Any] = {**dict.fromkeys(absent), **self._held, **given}
        named |= {f"{s} start": self.turns[turn][s] for s in self.states}
        named |= {f"{s} last": self.turns[1 - turn][s] for s in self.states}
        numbers = []
        for f in kernel.source.fields:
            tensor = None if f.kind == "constant" else named[f.tensor]
            bits = struct.unpack("=q", struct.pack("=d", constants[f.tensor]))[0] if f.kind == "constant" else 0
            numbers.append(bits if tensor is None else tensor.data_ptr())
        return (ctypes.c_int64 * (FIXED + len(numbers)))(*fixed, *numbers)

    @property
    def state(self) -> State:
        """The state now, in the cell's own structure: a copy."""
        return self.definition.pack_state([self.turns[self._turn][s].clone() for s in self.states])

    @state.setter
    def state(self, value: State) -> None:
        for s, part in zip(self.states, self.definition.state_values(value), strict=True):
            self.turns[self._turn][s].copy_(part)

    def step(self, given: Mapping[str, Tensor], output: Tensor) -> None:
        """Take a step: read `x` (batch, input size) and `dt`, where the equations use them; write `output`."""
        call = self._calls[self._turn]
        for name, tensor in given.items():
            if name in self._slots:
                call[self._slots[name]] = tensor.data_ptr()
        call[self._output_slot] = output.data_ptr()
        # a forked process has no pool
        self._function(call, self._pool, 1 if self.threads == 1 else min(self.threads, usable_threads()))
        self._turn = 1 - self._turn
