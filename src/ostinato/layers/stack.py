"""Layers over layers, one or two directions: what every recurrent layer of the library runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.cell import Bound, Cell, State
from ostinato.unroll import unroll


@dataclass(frozen=True)
class Seen:
    """What one layer, or one direction of it, has read and given: inputs and outputs (T, B, …) in the graph."""

    cell: Any
    inputs: Tensor
    state: State
    """What it was given to begin with; None is the cell's own."""
    outputs: Tensor
    lengths: Tensor | None = None
    reset: Tensor | None = None

    def there(self) -> Tensor:
        """Return bool (T, B): the steps that a row has."""
        steps, rows = self.outputs.shape[:2]
        if self.lengths is None:
            return torch.ones(steps, rows, dtype=torch.bool, device=self.outputs.device)
        lengths = torch.as_tensor(self.lengths, device=self.outputs.device)
        return torch.arange(steps, device=lengths.device)[:, None] < lengths


def run_stack(
    layers: Sequence[Sequence[Cell | Bound]],
    inputs: Tensor,
    state: Sequence[State] | None,
    *,
    dropout: float = 0.0,
    variational: bool = False,
    residual: bool = False,
    gates: Sequence[nn.Module] = (),
    return_states: bool = False,
    observe: Callable[[Seen], None] | None = None,
    **options: Any,
) -> tuple[Tensor, tuple[State, ...], tuple[State, ...]]:
    """Run (T, B, D) through `layers`, each a sequence of one or two directions.

    `state` holds one cell state for each layer and direction, layer by layer, forward before backward, as torch
    orders them; the states returned stand in the same order. `dropout` applies between layers, with `variational` the
    same to all steps of a row. From the second layer on, `residual` adds a layer's input to its output; `gates`, one
    for each of those layers, give from the input the share of the output in a mixture of both, before a sigmoid.
    `observe` is told what each layer and direction reads and gives. `options` go to `unroll`.
    """
    last: list[State] = []
    every: list[State] = []
    for depth, directions in enumerate(layers):
        given = inputs
        if depth and dropout:
            given = dropped(inputs, dropout, variational)
        outputs = []
        for k, cell in enumerate(directions):
            start = None if state is None else state[len(last)]
            result = unroll(cell, given, start, reverse=k == 1, return_states=return_states, **options)
            if observe is not None:
                told = {name: options.get(name) for name in ("lengths", "reset")}
                observe(Seen(cell, given, start, result[0], **told))
            outputs.append(result[0])
            last.append(result[1])
            every.extend(result[2:])
        output = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        inputs = passed_on(depth, inputs, output, gates, residual=residual)
    return inputs, tuple(last), tuple(every)


def passed_on(depth: int, inputs: Tensor, output: Tensor, gates: Sequence[nn.Module], *, residual: bool) -> Tensor:
    """Return what the layer above reads, or the stack gives: a layer's output, joined with what it read itself."""
    if depth and len(gates):
        share = torch.sigmoid(gates[depth - 1](inputs))
        output = share * output + (1 - share) * inputs
    return output + inputs if residual and depth else output


def dropped(inputs: Tensor, share: float, variational: bool) -> Tensor:
    """Return (T, B, D) without a share of its numbers; with `variational` the same ones at every step of a row."""
    if not variational:
        return F.dropout(inputs, share, training=True)
    return inputs * F.dropout(torch.ones_like(inputs[:1]), share, training=True)


def check_share(name: str, share: float) -> None:
    """Refuse a share of numbers to leave out that is none. Raises ConfigError."""
    if not isinstance(share, int | float) or not 0 <= share < 1:
        raise ConfigError(name, f"{share} was given", "A share from 0 up to, not including, 1", "")


def check_size(name: str, value: int) -> None:
    """Refuse a size that is no whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(name, f"{value} was given", "A size is a whole number, at least 1")
