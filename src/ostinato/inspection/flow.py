"""How far back gradients reach, of a trained model and of the same before it learned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ostinato.diagnostics.flow import LOST, Flow, gradient_flow
from ostinato.diagnostics.jacobians import Spectrum
from ostinato.inspection.drawing import COLOURS, picture
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, called, number, share
from ostinato.inspection.words import steps as _steps

FLOOR = 1e-8
"""Shares of the gradient below it are not drawn."""
HIGHEST = 10.0
"""A bound above it is not drawn, unless the gradient is."""
BOUND = COLOURS[4]


def section(subject: Subject) -> Section:
    """Measure and draw the gradient flow of each network of the model."""
    flows, before = gradient_flow(subject.model, subject.batch), gradient_flow(subject.fresh, subject.batch)
    networks = dict.fromkeys((flow.network, flow.backwards) for flow in flows)
    pictures = tuple(_picture(*network, flows, before, _steps_of(subject, *network)) for network in networks)
    return Section(
        "Gradient flow",
        "What is wrong at a step can only be learned from steps that its gradient reaches. How much of it is left k "
        "steps back?",
        pictures,
        summary=_summary([flow for flow in flows if flow.layer is None]),
        data={"after": [_numbers(flow) for flow in flows], "before": [_numbers(flow) for flow in before]},
    )


def _steps_of(subject: Subject, network: str, backwards: bool) -> Spectrum | None:
    """Return the steps of the top layer, where they were looked at: of lower ones gradients go by way of others too."""
    own = [found for found in subject.spectra if (found.network, found.backwards) == (network, backwards)]
    return max(own, key=lambda found: found.layer, default=None)


def _picture(
    network: str, backwards: bool, flows: list[Flow], before: list[Flow], looked_at: Spectrum | None
) -> Picture:
    own = [flow for flow in flows if (flow.network, flow.backwards) == (network, backwards)]
    fresh = next(f for f in before if (f.network, f.backwards, f.layer) == (network, backwards, None))
    whole, *layers = own

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        steps = np.arange(len(whole.median))
        high = whole.quantile(0.9)
        axes.fill_between(steps, whole.quantile(0.1), high, alpha=0.2, lw=0, label="80 % of windows")
        axes.plot(steps, whole.median, lw=1.8, label="all layers, median" if len(layers) > 1 else "median")
        for flow in layers if len(layers) > 1 else ():
            axes.plot(steps, flow.median, lw=0.9, ls="--", label=f"layer {(flow.layer or 0) + 1}")
        back = np.arange(len(fresh.median))
        axes.plot(back, fresh.median, lw=1.0, color=COLOURS[-1], ls=":", label="before learning")
        axes.axhline(LOST, lw=0.6, color=COLOURS[-1])
        if looked_at is not None:
            bound = looked_at.bound(len(steps))
            seen = bound <= max(HIGHEST, float(whole.median.max()))
            label = f"{_whose(looked_at)}bound η^k, of the steps looked at"
            axes.plot(steps[seen], bound[seen], lw=1.0, ls="-.", color=BOUND, label=label)
        axes.set(yscale="log", xlabel="steps back, k", ylabel="share of the gradient that is left")
        lowest = max(FLOOR, 0.5 * float(np.nanmin(np.where(whole.median > 0, whole.median, np.nan))))
        last = int(np.flatnonzero(np.fmax(high, whole.median) > lowest).max(initial=1))
        axes.set(xlim=(0, last), ylim=(lowest, 2 * max(1.0, float(np.nanmax(np.where(high < np.inf, high, 1.0))))))
        axes.legend(fontsize=8)

    name = "-".join(["gradient-flow", network.replace(".", "-"), *(["backwards"] if backwards else [])])
    alt = f"Share of the gradient that is left against steps back, {_place(whole)}."
    is_alone = all((flow.network, flow.backwards) == (network, backwards) for flow in flows)
    whose = "" if is_alone else f"{begun(_place(whole))}: "
    bound = "" if looked_at is None else f" {bound_in_words(looked_at)}"
    caption = f"{whose}{in_words(whole)} Before learning 99 % lay within {_briefly(fresh)}.{bound}"
    return picture(name, fill, alt=alt, caption=caption)


def in_words(flow: Flow) -> str:
    """Return what a flow means, in a sentence or two."""
    rate = flow.rate()
    if flow.horizon() is None or _explodes(flow) or not math.isfinite(rate):
        return _reach(flow)
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


def _summary(flows: list[Flow]) -> str:
    if len(flows) == 1:
        return _reach(flows[0])
    found = "; ".join(f"{_place(flow)}, {'it explodes' if _explodes(flow) else _briefly(flow)}" for flow in flows)
    return f"How far back 99 % of the gradient lies: {found}."


def _place(flow: Flow) -> str:
    return f"{called(flow.network)} {'backwards' if flow.backwards else 'forwards'}"


def bound_in_words(looked_at: Spectrum) -> str:
    """Return what the largest singular value of the steps looked at says of a gradient, in a sentence or two."""
    factor = f"η = {looked_at.growth:.3g} at {len(looked_at.singular)} steps looked at"
    where = f"In layer {looked_at.layer + 1} a step stretches no change by more than {factor}."
    allowed = (
        "such steps cannot keep a gradient, whatever its direction"
        if looked_at.growth < 1
        else "a bound that allows a gradient to grow says nothing of how fast it fades"
    )
    weights = looked_at.growth_of_weights
    on_any = "" if weights is None else f" On any data its weights allow at most {weights:.3g}."
    return f"{where} The line η^k is the bound of Pascanu et al. (2013) from these steps: {allowed}.{on_any}"


def _whose(looked_at: Spectrum) -> str:
    return f"layer {looked_at.layer + 1}: " if looked_at.layer else ""


def _briefly(flow: Flow) -> str:
    horizon = flow.horizon()
    return f"more than {_steps(len(flow.median) - 1)}" if horizon is None else _steps(horizon)


def _numbers(flow: Flow) -> dict[str, Any]:
    rate = flow.rate()
    return {
        "network": flow.network,
        "layer": flow.layer,
        "backwards": flow.backwards,
        "horizon": flow.horizon(),
        "window": len(flow.median) - 1,
        "rate": rate if math.isfinite(rate) else None,
        "median": _finite(flow.median),
        "low": _finite(flow.quantile(0.1)),
        "high": _finite(flow.quantile(0.9)),
    }


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
