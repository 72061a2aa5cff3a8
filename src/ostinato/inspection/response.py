"""How the states of a trained model answer a small push: what they remember of it, step after step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ostinato.data.lanes import Segment
from ostinato.diagnostics.response import Response, state_response
from ostinato.inspection.drawing import COLOURS, picture
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject, few

ROWS = 16
"""Windows that are pushed."""
LEFT = 0.01
"""Share of a push that counts as nothing."""
QUESTION = (
    "Change a state a little at one step, and let everything that is read stay the same. How much of the change is "
    "left k steps later?"
)


def section(subject: Subject) -> Section:
    """Push each layer of the model, and draw how the difference fades or grows."""
    batch = few(subject.batch, ROWS) if isinstance(subject.batch, Segment) else subject.batch
    responses = state_response(subject.model, batch)
    data = {"layers": [_numbers(found) for found in responses]}
    return Section("State response", QUESTION, (_picture(responses),), data=data)


def _picture(responses: list[Response]) -> Picture:
    def fill(figure: Any) -> None:
        axes = figure.subplots()
        for k, found in enumerate(responses):
            colour = COLOURS[k % len(COLOURS)]
            low, middle, high = (_seen(found, share) for share in (0.1, 0.5, 0.9))
            steps = np.arange(len(middle))
            axes.fill_between(steps, low, high, alpha=0.2, lw=0, color=colour)
            axes.plot(steps, middle, lw=1.6, color=colour, label=f"{_place(found, responses)}, median")
        axes.axhline(LEFT, lw=0.6, color="#7a7f87")
        axes.set(yscale="log", xlabel="steps after the push, k", ylabel="share of the change that is left")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))

    caption = " ".join(in_words(found, _place(found, responses)) for found in responses)
    alt = f"Share of a small change of the state that is left against steps after it. {caption}"
    caption = f"{caption} Bands hold 80 % of the rows; each layer is pushed by itself, in a direction by chance."
    return picture("state-response", fill, alt=alt, caption=caption)


def in_words(found: Response, place: str) -> str:
    """Return what a response means, in a sentence."""
    place, after = place[:1].upper() + place[1:], len(found.ratios) - 1
    if after == 0:
        return f"{place}: no step follows the push."
    faded, last = found.faded(LEFT), float(found.median[-1])
    if faded is not None:
        return f"{place} forgets a small change of its state: after {faded} steps less than {LEFT:.0%} of it is left."
    grown = f"{last:.3g} times as large" if math.isfinite(last) else "beyond all numbers"
    if last > 1:
        return f"{place} makes a small change of its state grow: after {after} steps it is {grown}."
    return f"{place} still holds {last:.2%} of a small change of its state after {after} steps, the last seen here."


def _seen(found: Response, share: float) -> np.ndarray:
    """Return a quantile to draw: not below what rounding hides, and nothing where it is beyond all numbers."""
    values = np.maximum(found.quantile(share), found.floor)
    return np.where(np.isfinite(values), values, np.nan)


def _place(found: Response, responses: list[Response]) -> str:
    network = f"{found.network}, " if len({each.network for each in responses}) > 1 else ""
    return f"{network}layer {found.layer + 1}" + (", backwards" if found.backwards else "")


def _numbers(found: Response) -> dict[str, Any]:
    return {
        "network": found.network,
        "layer": found.layer,
        "backwards": found.backwards,
        "start": found.start,
        "faded": found.faded(LEFT),
        "floor": found.floor,
        **{name: _finite(found.quantile(share)) for name, share in (("low", 0.1), ("median", 0.5), ("high", 0.9))},
    }


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
