"""How the states of a trained model answer a small push: what they remember of it, step after step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.diagnostics.response import Response, state_response
from ostinato.inspection.drawing import COLOURS, LINES, picture
from ostinato.inspection.section import Picture, Section, all_known
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import number, place, share, steps

ROWS = 16
"""Rows of the data that are pushed."""
LEFT = 0.01
"""Share of a push that counts as nothing."""
QUESTION = (
    "Change a state a little at one step, and let everything that is read stay the same. How much of the change is "
    "left k steps later? Small changes also fade where a state holds fast to one of several values: it still knows "
    "which."
)


def section(subject: Subject) -> Section:
    """Push each layer of the model, and draw how the difference fades or grows."""
    responses = state_response(subject.model, subject.few(ROWS))
    data = {"layers": [_numbers(found) for found in responses]}
    return Section(
        "State response", QUESTION, (picture_of(responses, subject.rows),), data=data, summary=in_words(responses)
    )


def picture_of(responses: list[Response], rows: str) -> Picture:
    """Draw the responses of all layers along `rows`; a curve ends where rounding hides what is left."""
    said = in_words(responses)

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        for k, found in enumerate(responses):
            colour, line = COLOURS[k % len(COLOURS)], LINES[k % len(LINES)]
            low, middle, high = (_seen(found, part) for part in (0.1, 0.5, 0.9))
            after = np.arange(len(middle))
            axes.fill_between(after, low, high, alpha=0.2, lw=0, color=colour)
            axes.plot(after, ended(middle, found.floor), lw=1.6, ls=line, color=colour, label=place(found, responses))
        axes.axhline(LEFT, lw=0.6, color=COLOURS[-1], label=share(LEFT))
        axes.set(yscale="log", xlabel="steps after the push, k", ylabel="share of the change that is left")
        axes.set_xlim(0, max(1.0, *(_last(found) for found in responses)))
        axes.legend(fontsize=8)

    hidden = max(found.floor for found in responses)
    ends = any(bool((found.median[-1:] < found.floor).any()) for found in responses)
    rounding = f" Curves end where less than {100 * hidden:.2g} % is left, which rounding hides." if ends else ""
    caption = (
        f"{said} Each line is the median, each band holds 80 % of the {rows}; every layer is pushed by itself, in a "
        f"direction by chance.{rounding}"
    )
    alt = "Share of a small change of the state that is left, against steps after it."
    return picture("state-response", fill, alt=alt, caption=caption)


def in_words(responses: list[Response]) -> str:
    """Return what the responses of layers mean, in a sentence."""
    found = "; ".join(f"in {place(each, responses)}, {_answer(each)}" for each in responses)
    return f"What is left of a small change of the state: {found}."


def _answer(found: Response) -> str:
    faded, last, after = found.faded(LEFT), float(found.median[-1]), len(found.ratios) - 1
    if after == 0:
        return "no step follows it"
    if faded is not None:
        return f"less than {share(LEFT)} after {steps(faded)}"
    if last > 1:
        return f"{number(last)} times as much after {steps(after)}: it grows"
    return f"{share(last)} after {steps(after)}, the last seen here"


def _seen(found: Response, part: float) -> np.ndarray:
    """Return a quantile to draw: not below what rounding hides, and nothing where it is beyond all numbers."""
    values = np.maximum(found.quantile(part), found.floor)
    return np.where(np.isfinite(values), values, np.nan)


def ended(values: np.ndarray, floor: float) -> np.ndarray:
    """Return a curve that ends where it has come down to the floor for good."""
    return np.where(np.arange(len(values)) <= _length(values, floor), values, np.nan)


def _length(values: np.ndarray, floor: float) -> int:
    return int(np.flatnonzero(~(values <= floor)).max(initial=-1)) + 1


def _last(found: Response) -> int:
    """Return the last step at which there is something to draw."""
    return min(len(found.ratios) - 1, _length(_seen(found, 0.9), found.floor))


def _numbers(found: Response) -> dict[str, Any]:
    return {
        "network": found.network,
        "layer": found.layer,
        "backwards": found.backwards,
        "start": found.start,
        "faded": found.faded(LEFT),
        "floor": found.floor,
        **{name: all_known(found.quantile(part)) for name, part in (("low", 0.1), ("median", 0.5), ("high", 0.9))},
    }
