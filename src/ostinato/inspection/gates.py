"""What gates, candidates and states are worth on what the model reads here, and how long its states last."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ostinato.diagnostics.quantities import ENDS, Kept, Layer, Quantity, gates
from ostinato.inspection.drawing import COLOURS, picture
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject

COLUMNS, MOST = 4, 12
"""Distributions side by side, and of how many quantities of a layer they are drawn."""
NOTABLE = 0.1
"""A share of saturated values that a caption names."""
DIGITS = 6
"""Of numbers of single units, in the JSON."""


def section(subject: Subject) -> Section:
    """Measure and draw the quantities of every layer."""
    layers = gates(subject.model, subject.batch)
    lasting = [_lasting(layers)] if any(layer.kept for layer in layers) else []
    return Section(
        "Gates and saturation",
        "What are the quantities of the equations worth, unit by unit and step by step? Little gradient passes through "
        "a gate that is near 0 or 1; what a gate keeps of its state says how long a unit remembers.",
        (*(_picture(layer) for layer in layers if layer.quantities), *lasting),
        data={"layers": [_numbers(layer) for layer in layers]},
    )


def _title(layer: Layer) -> str:
    return f"{layer.network}, layer {layer.layer + 1}" + ", backwards" * layer.backwards


def _picture(layer: Layer) -> Picture:
    drawn = layer.quantities[:MOST]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // max(1, columns))

    def fill(figure: Any) -> None:
        for place, quantity in enumerate(drawn):
            axes = figure.add_subplot(rows, columns, place + 1)
            shares = quantity.counts / max(1, quantity.counts.sum())
            axes.stairs(shares, quantity.edges, fill=True, color=COLOURS[place % len(COLOURS)], alpha=0.8)
            axes.set_title(quantity.name, fontsize=9)
            axes.set_yticks([])
            axes.tick_params(labelsize=7)

    name = "-".join(["gates", layer.network.replace(".", "-"), f"{layer.layer + 1}", *["backwards"] * layer.backwards])
    alt = f"Distributions of {', '.join(q.name for q in drawn)} of {_title(layer)}."
    return picture(name, fill, alt=alt, caption=in_words(layer), size=(7.2, 1.5 * rows + 0.3))


def in_words(layer: Layer) -> str:
    """Return what the quantities of a layer mean, in a few sentences."""
    said = [f"{_title(layer)[0].upper()}{_title(layer)[1:]}."]
    if not layer.has_equations:
        said.append("Its cell is no equations, so what stands inside it has no names: these are its states.")
    settled = [words for quantity in layer.quantities if (words := _saturation(quantity))]
    judged = [q.name for q in layer.quantities if q.made_by in ENDS and q.made_by != "relu"]
    if settled:
        said.append(f"Of all values, {'; '.join(settled)}.")
    elif judged:
        said.append(f"None of {', '.join(judged)} is saturated for more than {NOTABLE:.0%} of its values.")
    for quantity in layer.quantities:
        if quantity.dead:
            said.append(f"{quantity.dead} of {len(quantity.low)} units of {quantity.name} are 0 at every step.")
    said += [_held(kept) for kept in layer.kept]
    unknown = sum(q.unknown for q in layer.quantities)
    said += [f"{unknown:,} values are not finite and are left out."] if unknown else []
    hidden = [q.name for q in layer.quantities[MOST:]]
    said += [f"Not drawn, but in the numbers: {', '.join(hidden)}."] if hidden else []
    return " ".join(said)


def _saturation(quantity: Quantity) -> str:
    """Return how much of a quantity lies at its ends, where that is much."""
    if quantity.made_by not in ENDS:
        return ""
    low, high = (float(np.nan_to_num(shares).mean()) for shares in (quantity.low, quantity.high))
    if quantity.made_by == "relu":
        return f"{quantity.name} is 0 for {low:.0%}"
    ends = zip((low, high), ("below", "above"), ENDS[quantity.made_by], strict=True)
    parts = [f"{where} {end:g} for {share:.0%}" for share, where, end in ends if share > NOTABLE]
    return f"{quantity.name} is {' and '.join(parts)}" if parts else ""


def _held(kept: Kept) -> str:
    times = kept.time_constants
    known = times[~np.isnan(times)]
    by = " and ".join(kept.by)
    if not len(known):
        return f"What {by} leaves of {kept.state} at a step is no share between 0 and 1."
    half, slow = (float(np.quantile(known, share, method="nearest")) for share in (0.5, 0.9))
    if len(known) == 1:
        return f"By {by}, {kept.state} falls to 1/e in {_steps(half)}, if nothing new comes in."
    return (
        f"By the mean of {by}, half of the units let {kept.state} fall to 1/e within {_steps(half)}, if nothing new "
        f"comes in; one in ten takes {_steps(slow)} or more."
    )


def _steps(count: float) -> str:
    return "no end of steps" if math.isinf(count) else f"{count:.3g} steps"


def _lasting(layers: list[Layer]) -> Picture:
    """Draw the time constants of all units, sorted, of each state that is kept."""
    curves = [(layer, kept) for layer in layers for kept in layer.kept]

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        for layer, kept in curves:
            times = np.sort(kept.time_constants[np.isfinite(kept.time_constants)])
            units = np.arange(1, len(times) + 1) / len(kept.share)
            mark, label = "o" if len(times) == 1 else "", f"{_title(layer)}: {kept.state}"
            axes.plot(np.maximum(times, 0.1), units, lw=1.5, marker=mark, label=label)
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="time constant, in steps", ylabel="share of units at most there")
        axes.legend(fontsize=8)

    slowest = max((float(np.nan_to_num(k.time_constants, nan=0.0).max()) for _, k in curves), default=0.0)
    caption = (
        "Time constants that the mean gates imply, -1 / log(share kept): after so many steps 1/e of what a unit held "
        f"is left. The slowest unit takes {_steps(slowest)}. A gate that opens and closes can hold for longer than its "
        "mean says."
    )
    alt = "Share of units against their time constant, for each state that a gate keeps."
    return picture("gates-time-constants", fill, alt=alt, caption=caption)


def _numbers(layer: Layer) -> dict[str, Any]:
    return {
        "network": layer.network,
        "layer": layer.layer,
        "backwards": layer.backwards,
        "has_equations": layer.has_equations,
        "quantities": [
            {
                "name": q.name,
                "made_by": q.made_by,
                "edges": _finite(q.edges),
                "counts": q.counts.tolist(),
                "means": _finite(q.means),
                "low": _finite(q.low),
                "high": _finite(q.high),
                "dead": q.dead,
                "unknown": q.unknown,
            }
            for q in layer.quantities
        ],
        "kept": [
            {
                "state": kept.state,
                "by": list(kept.by),
                "share": _finite(kept.share),
                "time_constants": _finite(kept.time_constants),
            }
            for kept in layer.kept
        ],
    }


def _finite(values: np.ndarray) -> list[float | None]:
    return [round(value, DIGITS) if math.isfinite(value) else None for value in values.tolist()]
