"""How far back a gradient reaches: ‖∂L_t/∂s_{t-k}‖ against k, for any cell and whatever state s it has.

Hochreiter (1991) and Bengio, Simard and Frasconi (1994) show why it vanishes or explodes; Pascanu, Mikolov and Bengio
(2013, arXiv:1211.5063, section 2) bound it by the norms of the steps it goes back over. Here both are measured, on a
model and its data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.stretches import feeds_itself, norms_of_steps
from ostinato.diagnostics.taps import Step, Tap, as_row, in_evaluation, refuse_without_numbers, stepped, tapped

LOST = 0.01
"""Share of a gradient that counts as nothing."""
FAINT = 1e-30
"""Norms below it, of the norm at the end, are too close to the smallest numbers to fit a rate to."""


@dataclass(frozen=True)
class Flow:
    """The gradient of one layer, or of a network of them, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int | None
    """From 0; None for the states of all layers together."""
    backwards: bool
    norms: NDArray[np.float64]
    """(K, N): ‖∂L_t/∂s_{t-k}‖ of N rows, each from its own last step t that the loss depends on; NaN before a row's
    first step. As far back as half of the rows go: a median of the few longest would be of others."""
    stretches: NDArray[np.float64] | None = None
    """(K, N): ‖∂s_{t-k}/∂s_{t-k-1}‖, by which the step to s_{t-k} lets a gradient grow at most; None where it is not
    known, or where gradients have other ways back than over these steps."""

    @property
    def ratios(self) -> NDArray[np.float64]:
        """(K, N): the norms, as shares of those at k = 0; at k = 1 where the output is made beside the state."""
        first = self.norms[:1]
        return self.norms / np.where(first > 0, first, self.norms[:2][-1:])

    @property
    def bound(self) -> NDArray[np.float64]:
        """(K, N): what `ratios` are at most, the product of `stretches` from where they begin: the left of equation 7.

        Only of a flow that has them.
        """
        assert self.stretches is not None
        first = np.where(
            self.norms[:1] > 0, self.stretches[:1], 1.0
        )  # of an output beside the state, `ratios` begin late
        factors = np.concatenate([np.ones_like(first), first, self.stretches[1:-1]])[: len(self.norms)]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(np.isnan(self.norms + self.stretches), np.nan, np.cumprod(factors, axis=0))

    @property
    def growth(self) -> float:
        """η: the largest of `stretches`. `bound` is at most η^k, the right of equation 7."""
        assert self.stretches is not None
        return float(np.nanmax(self.stretches))

    def quantile(self, share: float) -> NDArray[np.float64]:
        """Return, of each k, a quantile over rows of `ratios`."""
        return np.nanquantile(self.ratios, share, axis=1, method="nearest")  # between infinities lies nothing

    @property
    def median(self) -> NDArray[np.float64]:
        """(K,): the half of all rows has less."""
        return self.quantile(0.5)

    def horizon(self, lost: float = LOST) -> int | None:
        """Return the steps that all but `lost` of the gradient lies within; None where they are more than are seen.

        Of the medians m_k: the least n with m_0 + … + m_{n-1} at least 1 - `lost` of the whole sum, to which another
        window of this length is added as the rate foretells. Where a gradient fades evenly, n is also where m_n has
        come down to `lost`; where it falls at once and then lasts, as in an LSTM that hardly forgets, what lasts
        counts.

        >>> Flow("", 0, False, 0.9 ** np.arange(100.0)[:, None]).horizon()
        44
        """
        within = np.cumsum(self.median)
        whole = within[-1] + self._beyond()
        if not np.isfinite(whole) or within[-1] < (1 - lost) * whole:
            return None
        return int(np.argmax(within >= (1 - lost) * whole)) + 1

    def _beyond(self) -> float:
        """Return the sum of the medians over as many steps again behind the window, if they go on as they do.

        Not over all: what is left of a gradient that fell at once to a millionth, and then lasts, would count for most.
        """
        median, rate = self.median, self.rate()
        last = float(median[-1])
        if np.isnan(rate):  # too few steps to tell
            return np.inf if last > LOST * float(median.sum()) else 0.0
        if last <= FAINT:
            return 0.0
        with np.errstate(over="ignore"):
            return last * float((rate ** np.arange(1.0, len(median) + 1)).sum())

    def rate(self) -> float:
        """Return by what the median is multiplied at each step further back: fitted to the farther half, in logarithms.

        NaN where fewer than three steps are left to fit.

        >>> round(Flow("", 0, False, 0.9 ** np.arange(20.0)[:, None]).rate(), 6)
        0.9
        """
        median = self.median
        kept = np.flatnonzero((median > FAINT) & np.isfinite(median))
        kept = kept[len(kept) // 2 :]
        return float(np.exp(np.polyfit(kept, np.log(median[kept]), 1)[0])) if len(kept) > 2 else float("nan")


def gradient_flow(model: nn.Module, batch: Any, state: State = None, *, bounded: int = 0) -> list[Flow]:
    """Return how the gradient of the loss flows back: of each network and direction as a whole, then of its layers.

    model    with `loss(batch, state) -> (loss, count, state)` and at least one `Recurrent`.
    bounded  rows, the longest that count, of which `stretches` of each top layer are found too, at all steps: lower
             layers have another way back by those above, and so has a decoder that reads what it gave. It takes longer.

    The loss is that of the last step of each row that it depends on. Layers run once on the eager engine, in
    evaluation mode; the model is left as it was and nothing is drawn. Raises ConfigError for a model without a loss,
    without recurrence, without a state of numbers, or without a gradient that reaches its layers.
    """
    if not hasattr(model, "loss"):
        got, possible = f"a {type(model).__name__} has no loss", "It is `loss(batch, state) -> (loss, count, state)`"
        raise ConfigError("gradient_flow", got, possible, "Pass a model that has one")
    with in_evaluation(model), tapped(model) as taps, torch.inference_mode(False), torch.enable_grad():
        loss, *_ = model.loss(batch, state)  # type: ignore[operator]
    taps = stepped("gradient_flow", taps)
    refuse_without_numbers("gradient_flow", taps)
    flows = [flow for group in _groups(taps) for flow in _flows(loss, group, bounded)]
    if not flows:
        got = "no finite gradient of the loss reaches a step of its recurrent layers"
        possible = "There is none where nothing is predicted, all is saturated, or states are not finite"
        raise ConfigError("gradient_flow", got, possible, "Pass a batch with something to predict")
    return flows


def _groups(taps: Sequence[Tap]) -> Iterator[list[Tap]]:
    """Yield the layers of each network and direction, from the lowest to the top."""

    def whose(tap: Tap) -> tuple[str, bool]:
        return tap.network, tap.backwards

    return (list(group) for _, group in groupby(sorted(taps, key=whose), whose))


def _flows(loss: Tensor, taps: list[Tap], bounded: int) -> list[Flow]:
    outputs = [step.output for step in taps[-1].steps]
    credits = torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True, materialize_grads=True)
    ends = _last(_by_row([credit.flatten(1).norm(dim=1) for credit in credits]))
    if not (ends >= 0).any():
        return []
    squares = _squares(outputs, at_ends(credits, ends), [tap.steps for tap in taps])
    whole: Tensor = sum(squares)  # type: ignore[assignment]
    each = [_backwards(square, ends).sqrt() for square in (whole, *squares)]
    counted = (ends >= 0) & torch.stack([_starts(norms) for norms in each]).all(0)
    if not counted.any():
        return []
    first, reach = taps[0], int(ends[counted].median()) + 1
    top = _stretches(taps[-1], ends, counted & (counted.cumsum(0) <= bounded)) if bounded else None
    names, stretches = [None, *(tap.layer for tap in taps)], [*[None] * len(taps), top]

    def kept(values: Tensor) -> NDArray[np.float64]:
        return values[:reach, counted].numpy()

    return [
        Flow(first.network, layer, first.backwards, kept(norms), None if steps is None else kept(steps))
        for layer, norms, steps in zip(names, each, stretches, strict=True)
    ]


def at_ends(credits: Sequence[Tensor], ends: Tensor) -> list[Tensor]:
    """Return the gradients (B, O) by the outputs of each step, zero but in rows whose last step (B,) it is.

    Where they are on a device, `ends` still is on the CPU.
    """
    return [credit * (ends[: len(credit)] == k)[:, None].to(credit.device) for k, credit in enumerate(credits)]


def _stretches(tap: Tap, ends: Tensor, rows: Tensor) -> Tensor | None:
    """Return (K, B), NaN but of the rows (B,) that are looked at; None where steps are not the only way back."""
    if feeds_itself(tap):
        return None
    found = torch.full((len(tap.steps), len(ends)), torch.nan, dtype=torch.float64)
    found[:, rows] = _by_row(norms_of_steps(tap, rows)).double()
    return _backwards(found, ends)


def _starts(norms: Tensor) -> Tensor:
    """Return which rows have a gradient (K, B) at k = 0, or at 1, to compare others with."""
    first = norms[:2]
    return (first > 0).any(0) & ~first.isinf().any(0)


def _squares(outputs: list[Tensor], credits: list[Tensor], layers: list[list[Step]]) -> list[Tensor]:
    """Return, of each layer, the squared norms (T, B) of the gradient by its state after each step."""
    wanted = [leaf for steps in layers for step in steps for leaf in step.state]
    given = iter(torch.autograd.grad(outputs, wanted, credits, True, allow_unused=True, materialize_grads=True))

    def square(step: Step) -> Tensor:
        parts = [as_row(next(given)).double().square().sum(1) for _ in step.state]
        return torch.stack(parts).sum(0).nan_to_num(torch.inf, torch.inf)  # what overflows is not known any more

    return [_by_row([square(step) for step in steps]) for steps in layers]


def _by_row(steps: list[Tensor]) -> Tensor:
    """Return (T, B) of steps that fewer and fewer rows have, zero where a row has none."""
    whole = steps[0].new_zeros(len(steps), max(map(len, steps)), device="cpu")
    for step, values in zip(whole, steps, strict=True):
        step[: len(values)] = values.detach()
    return whole


def _last(norms: Tensor) -> Tensor:
    """Return, of each row, the last step whose norm is above zero; -1 where there is none."""
    places = torch.arange(len(norms))[:, None].where(norms > 0, -1)
    return places.max(0).values


def _backwards(values: Tensor, ends: Tensor) -> Tensor:
    """Return (K, B) of values (T, B): step `end - k` of each row; NaN before the first."""
    steps = ends - torch.arange(len(values))[:, None]
    return values.gather(0, steps.clamp(min=0)).where(steps >= 0, torch.nan)
