"""What gates, candidates and states are worth on what the model reads here, and how long its states last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.diagnostics.quantities import ENDS, Kept, Layer, Quantity, gates
from ostinato.inspection.drawing import COLOURS, LINES, picture, stem
from ostinato.inspection.section import Picture, Section, all_known
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, listed, number, place, share, steps

COLUMNS, MOST = 4, 12
"""Distributions side by side, and of how many quantities of a layer they are drawn."""
NOTABLE = 0.1
"""A share of saturated values that a caption names."""
WHERE = {"0": "Near 0 (below 0.05)", "1": "Near 1 (above 0.95)", "±1": "Near −1 or 1 (beyond 0.95)", "off": "At 0"}
MEANT = {"0": "is near 0", "1": "is near 1", "±1": "is near −1 or 1", "off": "is 0"}
"""How the end is called at which values lie, in a list and in a sentence."""
SHORTEST = 0.1
"""Steps: shorter time constants are drawn there."""
DIGITS = 6
"""Of numbers of single units, in the JSON."""


def section(subject: Subject) -> Section:
    """Measure and draw the quantities of every layer."""
    layers = gates(subject.model, subject.batch)
    lasting = [_lasting(layers)] if any(layer.kept for layer in layers) else []
    return Section(
        "Gates and saturation",
        "What are the quantities of the equations worth? Each small picture shows how often a value occurs, over all "
        "units and steps (the outermost bars also hold what lies beyond); ′ marks a state after the step. Where a gate "
        "is near 0 or 1, little gradient passes through it; what a gate keeps of its state says how long a unit "
        "remembers.",
        (*(_picture(layer, layers) for layer in layers if layer.quantities), *lasting),
        data={"layers": [_numbers(layer) for layer in layers]},
        summary=summary(layers),
    )


def _shown(name: str) -> str:
    return name.replace("'", "′")


def _picture(layer: Layer, layers: Sequence[Layer]) -> Picture:
    drawn = layer.quantities[:MOST]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // max(1, columns))

    def fill(figure: Any) -> None:
        for at, quantity in enumerate(drawn):
            axes = figure.add_subplot(rows, columns, at + 1)
            shares = quantity.counts / max(1, quantity.counts.sum())
            axes.stairs(shares, quantity.edges, fill=True, color=COLOURS[at % len(COLOURS)], alpha=0.8)
            axes.set_title(_shown(quantity.name), fontsize=9)
            axes.set_yticks([])
            axes.tick_params(labelsize=8)
            axes.locator_params(axis="x", nbins=3)

    alt = f"Distributions of {', '.join(_shown(q.name) for q in drawn)}, {place(layer, layers)}."
    said = in_words(layer, place(layer, layers))
    return picture(stem("gates", layer), fill, alt=alt, caption=said, size=(7.2, 1.5 * rows + 0.3))


def in_words(layer: Layer, where: str) -> str:
    """Return what the quantities of a layer mean, in a few sentences."""
    said = [f"{begun(where)}."]
    if not layer.has_equations:
        said.append("Its cell is no equations, so what stands inside it has no names: these are its states.")
    said += _saturation(layer)
    for quantity in layer.quantities:
        if quantity.dead:
            said.append(f"{quantity.dead} of {len(quantity.low)} units of {_shown(quantity.name)} are 0 at every step.")
    said += [_held(kept) for kept in layer.kept]
    unknown = sum(q.unknown for q in layer.quantities)
    said += [f"{unknown:,} values are not finite and are left out."] if unknown else []
    hidden = [_shown(q.name) for q in layer.quantities[MOST:]]
    said += [f"Not drawn, but in the numbers: {', '.join(hidden)}."] if hidden else []
    return " ".join(said)


def _saturation(layer: Layer) -> list[str]:
    """Return which quantities lie at their ends, where that is much, in a sentence for each end."""
    judged = [q for q in layer.quantities if q.made_by in ENDS]
    found = {end: [f"{share(part)} of {_shown(q.name)}" for q in judged for at, part in _ends(q) if at == end]
             for end in WHERE}  # fmt: skip
    if judged and not any(found.values()):
        names = listed(_shown(q.name) for q in judged)
        return [f"Of {names} none is at one end for more than {share(NOTABLE)} of its values."]
    return [f"{WHERE[end]}: {listed(parts)}." for end, parts in found.items() if parts]


def _ends(quantity: Quantity) -> list[tuple[str, float]]:
    """Return at which ends many values of a quantity lie, and how many."""
    low, high = (float(np.nan_to_num(shares).mean()) for shares in (quantity.low, quantity.high))
    kind = quantity.made_by.removeprefix("hard_")
    found = {"sigmoid": [("0", low), ("1", high)], "tanh": [("±1", low + high)], "relu": [("off", low)]}[kind]
    return [(end, part) for end, part in found if part > NOTABLE]


def summary(layers: Sequence[Layer]) -> str:
    """Return what is saturated most of all layers, and how long the slowest unit holds, in two sentences."""
    ends = [(part, f"{share(part)} of {_shown(q.name)} of {place(layer, layers)} {MEANT[end]}")
            for layer in layers for q in layer.quantities if q.made_by in ENDS for end, part in _ends(q)]  # fmt: skip
    said = [f"Most saturated: {max(ends)[1]}."] if ends else []
    if not ends and any(q.made_by in ENDS for layer in layers for q in layer.quantities):
        said = [f"No quantity is at one end for more than {share(NOTABLE)} of its values."]
    if any(layer.kept for layer in layers):
        said.append(f"Judged by its mean gate, the slowest unit keeps what it holds for about {_slowest(layers)}.")
    return " ".join(said)


def _slowest(layers: Sequence[Layer]) -> str:
    times = [kept.time_constants for layer in layers for kept in layer.kept]
    return steps(max((float(np.nan_to_num(each, nan=0.0, posinf=math.inf).max()) for each in times), default=0.0))


def _held(kept: Kept) -> str:
    times = kept.time_constants
    known = times[~np.isnan(times)]
    by = listed(kept.by)
    if not len(known):
        return f"What {by} leaves of {kept.state} at a step is no share between 0 and 1."
    half, slow = (float(np.quantile(known, part, method="nearest")) for part in (0.5, 0.9))
    falls = f"With {by} at the mean and nothing new coming in, {kept.state} falls to 37 % (1/e) within {steps(half)}"
    if len(known) == 1:
        return f"{falls}."
    return f"{falls} in half of the units; in one unit of ten it takes {steps(slow)} or more."


def _lasting(layers: list[Layer]) -> Picture:
    """Draw the time constants of all units, sorted, of each state that is kept."""
    curves = [(layer, kept) for layer in layers for kept in layer.kept]

    def fill(figure: Any) -> None:
        from matplotlib.ticker import FuncFormatter, NullFormatter

        axes = figure.subplots()
        for k, (layer, kept) in enumerate(curves):
            times = np.sort(kept.time_constants[np.isfinite(kept.time_constants)])
            units = np.arange(1, len(times) + 1) / len(kept.share)
            mark, label = "o" if len(times) == 1 else "", f"{kept.state}, {place(layer, layers)}"
            line = LINES[k % len(LINES)]
            axes.plot(np.maximum(times, SHORTEST), units, lw=1.5, ls=line, marker=mark, label=label)
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="time constant, in steps", ylabel="share of units at most there")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(fontsize=8)

    caption = (
        "Time constants that the mean gates imply, −1 / log(share kept): the steps after which 37 % (1/e) of what a "
        "unit held is left, if nothing new comes in. At each time the line stands at the share of units that take no "
        f"longer; the slowest takes {_slowest(layers)}. A gate that opens and closes can hold for longer than its mean "
        "says."
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
                "edges": all_known(q.edges.round(DIGITS)),
                "counts": q.counts.tolist(),
                "means": all_known(q.means.round(DIGITS)),
                "low": all_known(q.low.round(DIGITS)),
                "high": all_known(q.high.round(DIGITS)),
                "dead": q.dead,
                "unknown": q.unknown,
            }
            for q in layer.quantities
        ],
        "kept": [
            {
                "state": kept.state,
                "by": list(kept.by),
                "share": all_known(kept.share.round(DIGITS)),
                "time_constants": all_known(kept.time_constants.round(DIGITS)),
            }
            for kept in layer.kept
        ],
    }
