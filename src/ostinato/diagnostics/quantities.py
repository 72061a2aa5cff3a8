"""What the named quantities of a layer's equations are worth on real data: gates, candidates, states.

How much of the time a gate is saturated says what it does (Karpathy, Johnson and Fei-Fei, 2015, arXiv:1506.02078,
section 4.2), and the share of its state that a unit keeps on average is a time constant (Tallec and Ollivier, 2018,
arXiv:1804.11188, section 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.cells.cell import State
from ostinato.diagnostics.intermediates import named, program_of, states, values
from ostinato.diagnostics.taps import Tap
from ostinato.diagnostics.visits import followed
from ostinato.equations.keeping import Keeping, keepings
from ostinato.equations.program import Op, Program

BINS = 50
"""Of a distribution."""
ENDS = {"sigmoid": (0.05, 0.95), "hard_sigmoid": (0.05, 0.95), "tanh": (-0.95, 0.95), "hard_tanh": (-0.95, 0.95),
        "relu": (0.0, math.inf)}  # fmt: skip
"""What such functions make is saturated below the first, or at zero of relu, and above the second."""
RANGES = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "hard_tanh": (-1.0, 1.0)}


@dataclass(frozen=True)
class Quantity:
    """The values of one name of the equations: of n units at all steps of all rows."""

    name: str
    made_by: str
    """The function that makes it, as sigmoid; "" is none that saturates."""
    counts: NDArray[np.int64]
    """(BINS,) values in each part of the range."""
    edges: NDArray[np.float64]
    """(BINS + 1,) where the parts begin and end. A few values beyond them count to the outermost parts."""
    means: NDArray[np.float64]
    """(n,) of each unit."""
    low: NDArray[np.float64]
    """(n,) share of each unit's steps at the lower end: below 0.05 of a sigmoid, below -0.95 of tanh, 0 of relu."""
    high: NDArray[np.float64]
    """(n,) share at the upper end: above 0.95."""
    unknown: int
    """Values that are not finite; they are in nothing else."""

    @property
    def dead(self) -> int:
        """Units of a relu that are zero at every step."""
        return int((self.low == 1).sum()) if self.made_by == "relu" else 0


@dataclass(frozen=True)
class Kept:
    """What is left of a state after a step, by the form of the equations: s' = share * s + what is new."""

    state: str
    by: tuple[str, ...]
    """The named values that decide it, as f of an LSTM."""
    share: NDArray[np.float64]
    """(n,) of each unit, the mean over all steps."""

    @property
    def time_constants(self) -> NDArray[np.float64]:
        """(n,) -1 / log(share): the steps after which 1/e is left of what a unit holds.

        NaN for a share below 0 or above 1.

        >>> Kept("c", ("f",), np.array([0.5, 1.0, 0.0])).time_constants.round(3).tolist()
        [1.443, inf, 0.0]
        """
        share = np.where((self.share >= 0) & (self.share <= 1), self.share, np.nan)
        with np.errstate(divide="ignore"):
            return np.abs(1 / np.log(share))


@dataclass(frozen=True)
class Layer:
    """The quantities of one layer, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    has_equations: bool
    """Of a plain cell only the states are known."""
    quantities: tuple[Quantity, ...]
    kept: tuple[Kept, ...]


@torch.no_grad()
def gates(model: nn.Module, batch: Any, state: State = None) -> list[Layer]:
    """Return, of each layer, the distribution of every named quantity of its equations, and how long states last.

    model  with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`; it is left as it was
           and nothing is drawn.

    Layers run once on the eager engine, in evaluation mode. Of cells that are no equations, the states after each step
    stand for quantities. Raises ConfigError for a model without recurrence, and where
    no step is taken.
    """
    return [_layer(tap) for tap in followed("gates", model, batch, state)]


def _layer(tap: Tap) -> Layer:
    program = program_of(tap)
    if program is None:
        found = [_quantity(name, "", value) for name, value in states(tap).items()]
        return Layer(tap.network, tap.layer, tap.backwards, False, tuple(found), ())
    names, rules = named(program), keepings(program)
    factors = {f for rule in rules for path in rule.paths for f in path if isinstance(f, str)}
    known = values(tap, {*names.values(), *factors})
    found = [_quantity(name, _maker(program, value), known[value]) for name, value in names.items()]
    kept = [_kept(rule, known) for rule in rules]
    return Layer(tap.network, tap.layer, tap.backwards, True, tuple(found), tuple(kept))


def _maker(program: Program, value: str) -> str:
    op = program.by_name[value]
    while isinstance(op, Op) and op.fn in ("copy", "clip_gradient"):
        op = program.by_name[str(op.args[0])]
    return op.fn if isinstance(op, Op) and op.fn in ENDS else ""


def _quantity(name: str, made_by: str, found: Tensor) -> Quantity:
    found = found.to("cpu", torch.promote_types(found.dtype, torch.float32))
    finite = found.isfinite()
    known = found.where(finite, 0.0)
    inside = found.flatten() if bool(finite.all()) else found[finite]
    low, high = ENDS.get(made_by, (-math.inf, math.inf))
    below = found <= low if made_by == "relu" else found < low
    first, last = _range(made_by, inside)
    steps = finite.sum(0)
    return Quantity(
        name,
        made_by,
        torch.histc(inside.clamp(first, last), BINS, first, last).numpy().astype(np.int64),
        np.linspace(first, last, BINS + 1),
        _shares(known.sum(0, dtype=torch.float64), steps),
        _shares((below & finite).sum(0), steps),
        _shares(((found > high) & finite).sum(0), steps),
        int((~finite).sum()),
    )


def _shares(sums: Tensor, rows: Tensor) -> NDArray[np.float64]:
    """Return means; NaN of nothing."""
    return (sums.double() / rows.where(rows > 0, torch.nan)).numpy()


def _range(made_by: str, found: Tensor) -> tuple[float, float]:
    """Return what a distribution is drawn over: all that can be, or nearly all that is."""
    if made_by in RANGES:
        return RANGES[made_by]
    if not found.numel():
        return 0.0, 1.0
    some = found.flatten()[:: max(1, found.numel() // 100_000)].double().numpy()
    low, high = np.quantile(some, [0.001, 0.999]).tolist()
    return (low, high) if high - low > 1e-6 * max(1.0, abs(low)) else (low - 0.5, low + 0.5)


def _kept(rule: Keeping, known: Mapping[str, Tensor]) -> Kept:
    share = torch.zeros(())
    for path in rule.paths:
        product: Tensor = torch.ones(())
        for factor in path:
            product = product * (known[factor] if isinstance(factor, str) else factor)
        share = share + product
    return Kept(rule.state, rule.names, share.double().mean(0).cpu().numpy())
