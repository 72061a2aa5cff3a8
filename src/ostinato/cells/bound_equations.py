"""Equations with the tensors they read, as engines see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.cells.cell import State, StepAt
from ostinato.cells.definition import Definition


class BoundEquations:
    """Equations with the tensors they read, as engines see them."""

    def __init__(
        self,
        definition: Definition,
        tensors: Mapping[str, Tensor],
        constants: Mapping[str, float],
        needs_positive_dt: bool = False,
    ):
        self.definition, self.tensors, self.constants = definition, tensors, constants
        self.needs_positive_dt = needs_positive_dt
        self.fixed = {**tensors, **constants}
        self.input_size = sum(definition.widths.values())
        self.output_size = definition.output_size
        self.uses_dt = definition.program.uses_dt

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return zeros."""
        like = next(iter(self.tensors.values()), torch.empty(0))
        options = {"device": device or like.device, "dtype": dtype or like.dtype}
        return self.definition.pack_state(
            [torch.zeros(batch_size, n, **options) for n in self.definition.states.values()]
        )

    def parts(self, data: Tensor) -> dict[str, Tensor]:
        """Return what comes in at every step, by name."""
        return self.definition.parts(data)

    def step(self, x: Tensor, state: State, dt: Tensor | None = None) -> tuple[Tensor, State]:
        """Take one step."""
        values = {**self.definition.parts(x), **self._state(state), **self.fixed}
        if self.uses_dt:
            values["dt"] = _column(dt)
        output, *after = self.definition.run_step(values)
        return output, self.definition.pack_state(after)

    def over(self, data: Tensor, dt: Tensor | None, rows: Sequence[int]) -> StepAt:
        """Return the step over all rows; the products with inputs are done here, before the loop."""
        labels, before, loop = self.definition.hoisted
        given = {**self.parts(data), **self.fixed, **dict.fromkeys(self.definition.states)}
        if self.uses_dt:
            given["dt"] = _column(dt)
        pieces = [value.split(list(rows)) for value in before(given)]

        def step_at(k: int, state: State) -> tuple[Tensor, State]:
            values = {
                **self.fixed,
                **self._state(state),
                **{n: p[k] for n, p in zip(labels, pieces, strict=True)},
            }
            output, *after = loop(values)
            return output, self.definition.pack_state(after)

        return step_at

    def _state(self, state: State) -> dict[str, Tensor]:
        return dict(zip(self.definition.states, self.definition.state_values(state), strict=True))


def _column(dt: Tensor | None) -> Tensor:
    if dt is None:
        raise ConfigError("dt", "none was given", "The equations use dt, the time since the last step", "Pass dt")
    return dt.unsqueeze(-1)
