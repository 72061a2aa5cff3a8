"""How far back gradients reach, of a trained model and of the same before it learned."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ostinato.diagnostics.flow import LOST, Flow, gradient_flow
from ostinato.diagnostics.matrices import plain_growth
from ostinato.inspection.drawing import COLOURS, picture, stem
from ostinato.inspection.section import Picture, Section, all_known, known
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, number, place, share
from ostinato.inspection.words import steps as _steps

FLOOR = 1e-8
"""Shares of the gradient below it are not drawn."""
STEADY = 0.005
"""By how much a rate may be off 1 for a gradient that neither fades nor grows."""
LARGEST = 1e300
"""Shares above it set no scale."""
FEWEST = 3
"""Steps that a bound is in the picture for, to be drawn: one that grows leaves it at once, and the words say so."""
BOUNDED = 8
"""Rows whose steps are looked at, all of them, to bound their gradient."""
BOUND = COLOURS[4]


def section(subject: Subject) -> Section:
    """Measure and draw the gradient flow of each network of the model."""
    flows = gradient_flow(subject.model, subject.batch, bounded=BOUNDED)
    before = [] if subject.fresh is None else gradient_flow(subject.fresh, subject.batch)
    wholes = [flow for flow in flows if flow.layer is None]
    return Section(
        "Gradient flow",
        "What is wrong at a step can only be learned from steps that its gradient reaches. How much of it is left k "
        "steps back?",
        tuple(_picture(_Way(subject, flows, before, whole, wholes)) for whole in wholes),
        summary=_summary(wholes),
        data={"after": [_numbers(flow) for flow in flows], "before": [_numbers(flow) for flow in before]},
    )


class _Way(NamedTuple):
    """One network, read in one direction, and what was measured of it and of others."""

    subject: Subject
    flows: list[Flow]
    before: list[Flow]
    whole: Flow
    wholes: list[Flow]
    """Of all networks and directions."""

    def own(self, flows: list[Flow]) -> list[Flow]:
        """Return the flows of this network and direction, as a whole and of its layers."""
        whose = self.whole.network, self.whole.backwards
        return [flow for flow in flows if (flow.network, flow.backwards) == whose]

    @property
    def layers(self) -> list[Flow]:
        return self.own(self.flows)[1:]

    @property
    def fresh(self) -> Flow | None:
        """The same before it learned; None where that has no gradient."""
        return next(iter(self.own(self.before)), None)


def _picture(way: _Way) -> Picture:
    whole, layers, fresh, top = way.whole, way.layers, way.fresh, way.layers[-1]

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        steps, high = np.arange(len(whole.median)), whole.quantile(0.9)
        label = f"80 % of {way.subject.rows}"
        axes.fill_between(steps, whole.quantile(0.1), high, alpha=0.2, lw=0, label=label)
        axes.plot(steps, whole.median, lw=1.8, label="all layers, median" if len(layers) > 1 else "median")
        for flow in layers if len(layers) > 1 else ():
            axes.plot(steps, flow.median, lw=0.9, ls="--", label=f"layer {(flow.layer or 0) + 1}")
        if fresh is not None:
            axes.plot(
                np.arange(len(fresh.median)), fresh.median, lw=1.0, color=COLOURS[-1], ls=":", label="before learning"
            )
        axes.axhline(LOST, lw=0.6, color=COLOURS[-1], label=share(LOST))
        highest = 2 * max(1.0, float(np.where(high < LARGEST, high, 1.0).max()))
        for name, style, bound in _bounds(top):
            seen = bound <= highest
            if seen.sum() < FEWEST:
                continue
            label = f"{f'layer {(top.layer or 0) + 1}: ' if len(layers) > 1 else ''}{name}"
            axes.plot(steps[seen], bound[seen], lw=1.0, ls=style, color=BOUND, label=label)
        axes.set(yscale="log", xlabel="steps back, k", ylabel="share of the gradient that is left")
        lowest = max(FLOOR, 0.5 * float(np.nanmin(np.where(whole.median > 0, whole.median, np.nan))))
        last = int(np.flatnonzero(np.fmax(high, whole.median) > lowest).max(initial=1))
        axes.set(xlim=(0, last), ylim=(lowest, highest))
        axes.legend(fontsize=8)

    where = place(whole, way.wholes)
    alt = f"Share of the gradient that is left against steps back{f', {where}' if where else ''}."
    words = [f"{begun(where)}: {in_words(whole)}" if where else in_words(whole)]
    words += [] if way.subject.fresh is not None else ["Nothing was learned by it: a readout was solved for."]
    words += [] if fresh is None else [f"Before learning it reached {_briefly(fresh)} back."]
    words.append(bound_in_words(top, way.subject.rows, len(layers), _allowed(way.subject, top)))
    return picture(stem("gradient-flow", whole), fill, alt=alt, caption=" ".join(words))


def _bounds(top: Flow) -> list[tuple[str, Any, np.ndarray]]:
    """Return the lines that bound the gradient of a top layer: what each is called, how it is drawn, and (K,)."""
    if top.stretches is None:
        return []
    with np.errstate(over="ignore"):
        power = top.growth ** np.arange(float(len(top.norms)))
    return [("bound by its steps, median", "-.", _median(top.bound)), ("bound η^k", (0, (1, 3)), power)]


def _median(values: np.ndarray) -> np.ndarray:
    """Return the medians (K,) of those that are known of (K, N); infinite where none is."""
    there = ~np.isnan(values).all(1)
    found = np.full(len(values), np.inf)
    found[there] = np.nanquantile(values[there], 0.5, axis=1, method="nearest")
    return found


def _allowed(subject: Subject, top: Flow) -> float | None:
    """Return by what the weights of a plain layer let a gradient grow at a step at most, on any data."""
    layers: Any = subject.model.get_submodule(top.network).layers
    return plain_growth(layers[top.layer][int(top.backwards)])


def in_words(flow: Flow) -> str:
    """Return what a flow means, in a sentence or two."""
    rate = flow.rate()
    if flow.horizon() is None or _explodes(flow) or not math.isfinite(rate):
        return _reach(flow)
    if abs(rate - 1) < STEADY:
        return f"{_reach(flow)} What is left further back stays as it is."
    half = f", which halves it every {_steps(math.log(0.5) / math.log(rate))}" if 0 < rate < 1 else ""
    return f"{_reach(flow)} Further back each step leaves {share(rate)} of it{half}."


def _reach(flow: Flow) -> str:
    """Return how far back a gradient reaches, in a sentence."""
    window, horizon, median = _steps(len(flow.median) - 1), flow.horizon(), flow.median
    if _explodes(flow):
        return f"The gradient explodes: within {window} back it grows up to {number(median.max())} times as large."
    if horizon is not None:
        within = f"99 % of the gradient lies within {_steps(horizon)}"
        return f"{within}: what happened earlier hardly changes what is learned."
    left = f"{window} back {share(median[-1])} of the gradient is left"
    if median[-1] > LOST:
        return f"{left}: it reaches further than was looked at."
    return f"{left}, but it fades so little there that how far it reaches in all cannot be told from {window}."


def _explodes(flow: Flow) -> bool:
    return bool(flow.median.max() > 1 / LOST)


def _summary(wholes: list[Flow]) -> str:
    if len(wholes) == 1:
        return _reach(wholes[0])
    each = [f"{place(flow, wholes)}, {'it explodes' if _explodes(flow) else _briefly(flow)}" for flow in wholes]
    return f"How far back 99 % of the gradient lies: {'; '.join(each)}."


def bound_in_words(top: Flow, rows: str, layers: int, allowed: float | None) -> str:
    """Return what the norms of a top layer's steps say of its gradient, in a few sentences.

    layers   of its network; allowed: what its weights allow at a step, on any data, where that is known.
    """
    on_any = "" if allowed is None else f" On any data its weights allow at most η = {number(allowed)}."
    if top.stretches is None:
        return f"Its steps set no bound: it reads again what it gave, so a gradient has other ways back too.{on_any}"
    looked_at = ~np.isnan(top.bound)
    whose, count = f"layer {(top.layer or 0) + 1}" if layers > 1 else "the layer", int(looked_at.any(0).sum())
    rows = rows if count > 1 else rows[:-1]
    last = float(np.nanmax(top.bound[looked_at.any(1)][-1]))
    means = (
        f"at the far end {share(last)} of a gradient is the most that can be left, whatever its direction"
        if last < 1
        else "they would allow a gradient to grow, so they do not say that it fades"
    )
    lower = " Lower layers have no such bound: their gradient also comes by way of those above." if layers > 1 else ""
    return (
        f"At all {int(looked_at.sum()):,} steps of {count} {rows}, no step of {whose} stretches a change by more than "
        f"η = {number(top.growth)}. Its gradient stays below the product of what the steps gone back over stretch at "
        f"most, and that below η^k (Pascanu et al., 2013): {means}.{on_any}{lower}"
    )


def _briefly(flow: Flow) -> str:
    horizon = flow.horizon()
    return f"more than {_steps(len(flow.median) - 1)}" if horizon is None else _steps(horizon)


def _numbers(flow: Flow) -> dict[str, Any]:
    rate = flow.rate()
    bounded = {} if flow.stretches is None else {"growth": known(flow.growth), "bound": all_known(_median(flow.bound))}
    return {
        "network": flow.network,
        "layer": flow.layer,
        "backwards": flow.backwards,
        "horizon": flow.horizon(),
        "window": len(flow.median) - 1,
        "rate": known(rate),
        "median": all_known(flow.median),
        "low": all_known(flow.quantile(0.1)),
        "high": all_known(flow.quantile(0.9)),
        **bounded,
    }
