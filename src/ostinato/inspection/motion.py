"""Where the states of a trained model go, and where they would rest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnostics.motion import Motion, RestingPoint, fixed_points, trajectories
from ostinato.inspection.drawing import COLOURS, picture, stem
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, place, share

ROWS, DRAWN, STARTS = 8, 3, 16
"""Rows whose states are seen, those drawn as paths, and states that a search for resting points starts from."""
TITLE = "State in motion"
QUESTION = (
    "A state is a point in a room of many directions, and what is read moves it. Here are the two directions in which "
    "states differ most."
)
SEARCHED = 64
"""Numbers of a state, up to which a page searches: beyond, a search takes minutes."""


def section(subject: Subject) -> Section:
    """Draw the states of each layer, with fixed and slow points where the layer is small."""
    batch = subject.few(ROWS)
    motions = trajectories(subject.model, batch)
    points = [_points(subject, batch, motion) for motion in motions]
    pairs = list(zip(motions, points, strict=True))
    said = [f"{begun(place(motion, motions))}: {_held(motion)}." for motion in motions]
    return Section(
        TITLE,
        QUESTION,
        tuple(_picture(motion, found, place(motion, motions), subject.rows) for motion, found in pairs),
        summary=" ".join(
            f"{words} {in_words(found)}" if found else words for words, found in zip(said, points, strict=True)
        ),
        data={"layers": [_numbers(motion, found) for motion, found in pairs]},
    )


def _points(subject: Subject, batch: Any, motion: Motion) -> list[RestingPoint] | None:
    """Return where a layer's states would rest; None where it is too large to search."""
    if motion.states.shape[2] > SEARCHED:
        return None
    where = {"network": motion.network, "layer": motion.layer, "backwards": motion.backwards}
    return fixed_points(subject.model, batch, **where, starts=STARTS)


def _picture(motion: Motion, points: list[RestingPoint] | None, where: str, rows: str) -> Picture:
    seen = motion.seen(motion.states)

    def fill(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(*_finite(seen.reshape(-1, 2)).T, ".", ms=2, alpha=0.35, color=COLOURS[-1], label="all states")
        for row in range(min(DRAWN, seen.shape[1])):
            axes.plot(*seen[:, row].T, lw=0.7, alpha=0.8, label=f"{rows[:-1]} {row + 1}")
        for mark, name, wanted in _kinds(points or []):
            axes.plot(*motion.seen(np.stack([p.state for p in wanted])).T, mark, ms=8, mec="black", label=name)
        shares = motion.explained
        axes.set(xlabel=f"first direction ({share(shares[0])})", ylabel=f"second direction ({share(shares[1])})")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))

    caption = f"{begun(where)}: {_spread(motion)} {in_words(points)}"
    alt = f"States of {where} along {seen.shape[1]} {rows}, in the two directions in which they differ most."
    return picture(stem("state-in-motion", motion), fill, alt=alt, caption=caption, size=(7.2, 4.6))


def _kinds(points: list[RestingPoint]) -> list[tuple[str, str, list[RestingPoint]]]:
    kinds = [
        ("o", "stable", [p for p in points if p.is_fixed and p.is_stable]),
        ("X", "unstable", [p for p in points if p.is_fixed and not p.is_stable]),
        ("D", "slow", [p for p in points if not p.is_fixed]),
    ]
    return [kind for kind in kinds if kind[2]]


def _spread(motion: Motion) -> str:
    return f"{_held(motion)}; what else they tell is not seen here."


def _held(motion: Motion) -> str:
    held = float(motion.explained.sum())
    if held == 0:
        return "its states are all the same"
    return f"two of {motion.states.shape[2]} directions hold {share(held)} of how states differ"


def in_words(points: list[RestingPoint] | None) -> str:
    """Return what was found where states rest, in a sentence; None where nothing was searched."""
    if points is None:
        return f"Resting points are searched on this page where a state has at most {SEARCHED} numbers."
    held = "With the input held at its mean"
    if not points:
        return f"{held}, no place was found where states rest or nearly so."
    said = [f"{len(found)} {name}" for _, name, found in _kinds(points)]
    stable = [point for point in points if point.is_fixed and point.is_stable]
    means = {
        0: "none of those found holds a state for ever",
        1: "states near the stable one end there, whatever was read before",
    }.get(len(stable), "which of the stable ones a state ends at keeps something of what was read")
    return f"{held}, resting points were found ({', '.join(said)}): {means}."


def _numbers(motion: Motion, points: list[RestingPoint] | None) -> dict[str, Any]:
    seen = motion.seen(motion.states)[:, :DRAWN]
    return {
        "network": motion.network,
        "layer": motion.layer,
        "backwards": motion.backwards,
        "explained": motion.explained.tolist(),
        "paths": [_finite(seen[:, row]).tolist() for row in range(seen.shape[1])],
        "resting_points": None if points is None else [_point(motion, point) for point in points],
    }


def _point(motion: Motion, point: RestingPoint) -> dict[str, Any]:
    return {
        "seen": motion.seen(point.state).tolist(),
        "speed": point.speed,
        "fixed": point.is_fixed,
        "stable": point.is_stable,
        "radius": float(abs(point.eigenvalues).max()),
        "starts": point.starts,
    }


def _finite(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[np.isfinite(points).all(1)]
