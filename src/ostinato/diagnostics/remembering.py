"""What a state remembers of its inputs: how well each past input can be read from it by a linear readout.

Jaeger (2001, revised 2002), "Short term memory in echo state networks", GMD report 152, definition 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell
from ostinato.diagnostics.visits import flat, visited
from ostinato.layers.recurrent import Recurrent
from ostinato.models.reservoir import LeastSquares, delayed, squared_correlation

ROWS = 8
"""Sequences that are read side by side."""
FEWEST_STEPS, FEWEST_WASHOUT = 500, 100


@dataclass(frozen=True)
class Capacity:
    """How well a network remembers."""

    recalled: NDArray[np.float64]
    """(K, D): r² of the input 0 … K - 1 steps back, of each of D inputs, on steps that the readouts were not fitted
    to."""
    size: int
    """n, the numbers of a state: `total` is at most that, but for chance."""

    @property
    def total(self) -> float:
        """The memory capacity, Σ r²: of unrelated numbers r² is above 0 by chance, by about one over the steps."""
        return float(self.recalled.sum())


def memory_capacity(
    model: nn.Module,
    *,
    delays: int | None = None,
    steps: int | None = None,
    washout: int | None = None,
    scale: float = 0.5,
    ridge: float = 0.0,
    generator: torch.Generator | None = None,
) -> Capacity:
    """Drive a network with noise and return how well its state tells each input of the last steps.

    model    a cell or a `Recurrent`, or a model, whose first one of them is driven; of several layers all states count.
    delays   K, how many inputs are asked for: the present one and those before; None for a quarter more than would fit.
    steps    that the readouts are fitted to, of each of 8 rows, and as many more that r² is measured on; None for 500,
             and more for large states.
    washout  first steps that do not count; None for 100, or K where that is more.
    scale    inputs are uniform between -scale and scale: a network that saturates remembers small ones better.
    ridge    penalty on squared weights, relative to the states (`models.reservoir.LeastSquares`).

    All parts of a state are read, of an LSTM h and c. Unlike Jaeger's, the sum counts the present input, which only the
    state tells here: his readouts see it, and count from one step back. n bounds both (his proposition 2).

    >>> import ostinato
    >>> line = ostinato.cell("h' = U @ h + W @ x", input_size=1, hidden_size=5).double()
    >>> _ = line.U.detach().copy_(torch.eye(5).roll(1, 0).tril(-1)), line.W.detach().copy_(torch.eye(5, 1))
    >>> round(memory_capacity(line, delays=5).total, 6)
    5.0

    Raises ConfigError for a model without recurrence or one that reads backwards, numbers that cannot be, and states
    that are not finite.
    """
    layer = _driven(model)
    size = _state_size(layer)
    width = layer.input_size
    delays = -(-5 * size // (4 * width)) if delays is None else delays
    steps = max(FEWEST_STEPS, size) if steps is None else steps
    washout = max(FEWEST_WASHOUT, delays) if washout is None else washout
    _check(size, delays, steps, washout, scale, ridge)
    drawn = torch.rand(washout + 2 * steps, ROWS, width, generator=generator, dtype=torch.float64)
    inputs = (2 * drawn - 1) * scale
    states, wanted = _states(layer, inputs)[washout:], _asked(inputs, delays)[washout:]
    squares = LeastSquares()
    for seen, asked in zip(states[:steps].unbind(1), wanted[:steps].unbind(1), strict=True):
        squares.add(seen, asked)
    found = states[steps:].flatten(0, 1) @ squares.solve(ridge).T
    recalled = squared_correlation(found, wanted[steps:].flatten(0, 1))
    return Capacity(recalled.view(delays, width).numpy(), size)


def _driven(model: nn.Module) -> Recurrent:
    found = next((module for module in model.modules() if isinstance(module, Recurrent | Cell)), None)
    if found is None:
        got = "a model without recurrent layers"
        raise ConfigError("memory_capacity", got, "Driven is a cell or ostinato.Recurrent", "Pass such a model")
    layer = found if isinstance(found, Recurrent) else Recurrent(found)
    if layer.bidirectional:
        got = "a network that reads in both directions"
        raise ConfigError("memory_capacity", got, "What is read backwards is no memory", "Pass one of its cells")
    return layer


def _state_size(layer: Recurrent) -> int:
    return _states(layer, torch.zeros(1, 1, layer.input_size)).shape[2] - 1


def _check(size: int, delays: int, steps: int, washout: int, scale: float, ridge: float) -> None:
    for name, value, least in (("delays", delays, 1), ("washout", washout, delays), ("steps", steps, 1)):
        if value < least:
            raise ConfigError("memory_capacity", f"{name}={value}", f"Possible: {least} or more")
    if steps * ROWS <= 2 * size:
        got = f"steps={steps}, for a state of {size} numbers"
        raise ConfigError("memory_capacity", got, f"Possible: {2 * size // ROWS + 1} or more")
    if not scale > 0 or not ridge >= 0:
        got = f"scale={scale}, ridge={ridge}"
        raise ConfigError("memory_capacity", got, "The scale is above 0, and the ridge 0 or more")


def _asked(inputs: Tensor, delays: int) -> Tensor:
    """Return, of inputs (T, B, D), those 0 … K - 1 steps back, (T, B, K · D)."""
    ahead = torch.cat([inputs, inputs[:1]])  # one step back from the next step is the present
    rows = [torch.stack([delayed(column, delays)[1:] for column in row.unbind(1)], 2) for row in ahead.unbind(1)]
    return torch.stack(rows, 1).flatten(2)


def _states(layer: Recurrent, inputs: Tensor) -> Tensor:
    """Return 1 and the states of all layers after every step, (T, B, 1 + n), of inputs (T, B, D)."""
    like = next((p for p in layer.parameters() if p.is_floating_point()), inputs)
    one_more = torch.cat([inputs, inputs[:1]]).to(like)  # states are kept before each step
    taps = visited("memory_capacity", layer, one_more.transpose(0, 1) if layer.batch_first else one_more)
    each = [torch.stack([flat(step.before) for step in tap.steps[1:]]) for tap in taps]
    states = torch.cat([torch.ones_like(each[0][..., :1]), *each], 2).double().cpu()
    if not states.isfinite().all():
        got = "a state is not finite"
        raise ConfigError("memory_capacity", got, "States are finite numbers", "Pass a smaller scale, or fewer steps")
    return states
