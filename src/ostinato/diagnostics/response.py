"""How a state answers a push: a small change of it, or of one input, followed over the steps after it.

‖s_t(pushed) - s_t‖ / ‖push‖: forwards what `gradient_flow` measures backwards, and of a linear network ‖W^k v‖.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.taps import Step, Tap
from ostinato.diagnostics.visits import flat, like, longest_path, visited

PUSHED = ("state", "input")


@dataclass(frozen=True)
class Response:
    """Of one layer, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    start: int
    """The step that was pushed, from 0."""
    ratios: NDArray[np.float64]
    """(K, N): difference of the states k steps after it, of N rows, as a share of the push; NaN where a row has
    ended."""
    floor: float
    """Ratios below about this are rounding, not response."""

    def quantile(self, share: float) -> NDArray[np.float64]:
        """Return, of each k, a quantile over rows of `ratios`."""
        return np.nanquantile(self.ratios, share, axis=1, method="nearest")  # between infinities lies nothing

    @property
    def median(self) -> NDArray[np.float64]:
        """(K,): the half of all rows has less."""
        return self.quantile(0.5)

    def faded(self, left: float = 0.01) -> int | None:
        """Return after how many steps the median has come down to `left`, for good; None where it has not."""
        above = np.flatnonzero(~(self.median <= left))
        first = int(above[-1]) + 1 if len(above) else 0
        return first if first < len(self.ratios) else None


def state_response(
    model: nn.Module,
    batch: Any,
    state: State = None,
    *,
    pushed: str = "state",
    start: int | None = None,
    size: float = 0.01,
    direction: Tensor | None = None,
) -> list[Response]:
    """Push each layer and direction a little, at one step, and return how its states differ from then on.

    model      with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`. Where a layer
               runs several times in one loss, its longest run is followed.
    pushed     "state", the state after step `start`, or "input", what the layer reads at it.
    start      None for a quarter of the steps.
    size       length of the push, as a share of the mean length of what is pushed; where that is 0, a length.
    direction  (n,) of the push, for all rows and layers; None draws one for each row.

    Each layer is pushed by itself, its own inputs staying as they were. All parts of a state count, of an LSTM h and c.

    >>> import ostinato
    >>> cell = ostinato.cell("h' = 0.5 * h + W @ x", input_size=3, hidden_size=3).double()
    >>> state_response(ostinato.Recurrent(cell), torch.ones(5, 2, 3).double())[0].median.round(6).tolist()
    [1.0, 0.5, 0.25, 0.125]

    Raises ConfigError for a model without recurrence, numbers that cannot be, and states that are not finite.
    """
    if pushed not in PUSHED:
        raise ConfigError("state_response", f"pushed={pushed!r}", f"Possible: {', '.join(PUSHED)}")
    if not 0 < size < math.inf:
        raise ConfigError("state_response", f"size={size}", "Possible: a number above 0")
    taps = visited("state_response", model, batch, state)
    return [_response(tap, pushed, start, size, direction) for tap in taps]


@torch.no_grad()
def _response(tap: Tap, pushed: str, start: int | None, size: float, direction: Tensor | None) -> Response:
    path = longest_path(tap)
    start = len(path) // 4 if start is None else start
    if not 0 <= start < len(path):
        raise ConfigError("state_response", f"start={start}, of {len(path)} steps", f"Possible: 0 to {len(path) - 1}")
    first = path[start]
    here = _after(first)
    if not here.isfinite().all():
        got = f"a state of layer {tap.layer + 1} is not finite"
        raise ConfigError("state_response", got, "States along the data are finite numbers", "Pass fewer steps")
    if pushed == "state":
        push = _push(here, size, direction)
        there = here + push
        push = there - here  # as it was rounded
    else:
        given, after = _reading(first)
        push = _push(given, size, direction)
        there = flat(after(given + push))
        push = (given + push) - given
    ratios = _followed(path[start + 1 :], here, there, push.double().norm(dim=1))
    floor = torch.finfo(here.dtype).eps / size
    return Response(tap.network, tap.layer, tap.backwards, start, ratios, floor)


def _after(step: Step) -> Tensor:
    return flat(step.move(step.before))


def _push(what: Tensor, size: float, direction: Tensor | None) -> Tensor:
    """Return pushes (B, n) of what is pushed (B, n)."""
    rows, count = what.shape
    if direction is None:
        direction = torch.randn(rows, count, generator=torch.Generator().manual_seed(0))
    elif direction.shape != (count,) or not direction.norm() > 0:
        got = f"direction of shape {tuple(direction.shape)}"
        raise ConfigError("state_response", got, f"Of a layer it is ({count},), and not zeros")
    length = size * (float(what.norm(dim=1).mean()) or 1.0)
    direction = direction.to(what).expand(rows, count)
    return length * direction / direction.norm(dim=1, keepdim=True)


def _reading(step: Step) -> tuple[Tensor, Callable[[Tensor], State]]:
    """Return what a step reads (B, D), and a function of it to the state after the step."""
    found, rows = step.within, step.within.rows
    first, count = sum(rows[: step.place]), rows[step.place]
    own = slice(first, first + count)
    dt = None if found.dt is None else found.dt[own]
    return found.inputs[own], lambda x: found.bound.over(x, dt, [count])(0, step.before)[1]


def _followed(path: list[Step], here: Tensor, there: Tensor, push: Tensor) -> NDArray[np.float64]:
    ratios = np.full((1 + len(path), len(here)), np.nan)
    ratios[0] = _ratio(here, there, push)
    for ratio, step in zip(ratios[1:], path, strict=True):
        here = _after(step)
        there = flat(step.move(like(step.before, there[: len(here)])))
        ratio[: len(here)] = _ratio(here, there, push)
    return ratios


def _ratio(here: Tensor, there: Tensor, push: Tensor) -> NDArray[np.float64]:
    lengths = (there.double() - here.double()).norm(dim=1)
    return (lengths / push[: len(here)]).nan_to_num(torch.inf, torch.inf).cpu().numpy()
