"""A sequence of numbers, drawn, and beneath it the units that follow something in it most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnostics.tracking import Unit, Units
from ostinato.inspection.drawing import COLOURS, LINES, picture
from ostinato.inspection.rows import Rows
from ostinato.inspection.section import Picture
from ostinato.inspection.words import signed
from ostinato.training.pictures.letters import fonts_for, written

COLUMNS, UNITS = 3, 3
"""Lines that are drawn of what is read, and of units."""
FAINT = 0.3
"""|r| below which a unit is not drawn."""
STEPS = 400
"""Steps that are drawn at most."""


def lines(rows: Rows, found: Units, row: int, values: NDArray) -> Picture | None:
    """Return a picture of a sequence and of the units (T, U) that follow most; None where nothing is followed."""
    followed = _followed(found)
    if not followed:
        return None
    steps = np.arange(1, min(len(values), STEPS) + 1)
    read = {name: column[: len(steps), row] for name, column in [*rows.columns.items()][:COLUMNS]}
    fonts = fonts_for("")

    def fill(figure: Any) -> None:
        axes = figure.subplots(1 + len(followed), 1, sharex=True, squeeze=False)[:, 0]
        for style, (name, column) in zip(LINES, read.items(), strict=False):
            axes[0].plot(steps, column, style, label=f" {written(name, fonts)}", linewidth=1.2)
        alone = f": {written(next(iter(read)), fonts)}" if len(read) == 1 else ""
        axes[0].set_title(f"what is read{alone}", loc="left", parse_math=False)
        if not alone:
            for text in figure.legend(loc="outside upper right", ncols=len(read)).get_texts():
                text.set_parse_math(False)
        for ax, (track, (unit, r)) in zip(axes[1:], followed.items(), strict=True):
            ax.plot(steps, values[: len(steps), found.units.index(unit)], color=COLOURS[1], linewidth=1.2)
            title = written(f"{unit}: follows '{track}', r = {signed(r)}", fonts)
            ax.set_title(title, loc="left", parse_math=False)
        axes[-1].set_xlabel("step")

    told = "; ".join(f"{unit} follows '{track}', r = {signed(r)}" for track, (unit, r) in followed.items())
    return picture(
        f"units-{rows.network.replace('.', '-').replace('_', '-')}",
        fill,
        alt=f"Above, what is read of one sequence over {len(steps)} steps; below, {len(followed)} units at each step.",
        caption=f"One sequence of the half that judges, and the units that follow something most: {told}.",
        size=(7.2, 1.5 * (1 + len(followed))),
    )


def _followed(found: Units) -> dict[str, tuple[Unit, float]]:
    """Return the tracks that have the clearest units, each unit once."""
    best = {track: found.best(track)[0] for track in found.tracks}
    chosen: dict[str, tuple[Unit, float]] = {}
    for track, (unit, r) in sorted(best.items(), key=lambda each: -abs(each[1][1])):
        if abs(r) >= FAINT and len(chosen) < UNITS and unit not in [other for other, _ in chosen.values()]:
            chosen[track] = unit, r
    return chosen
