"""A comparison in words: for each group of runs what was reached, the settings that differ, and the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.training.comparison.curves import plot
from ostinato.training.comparison.runs import ReadRun
from ostinato.training.comparison.settings import blocks, differing
from ostinato.training.progress import duration

if TYPE_CHECKING:
    from ostinato.training.comparison import Comparison, Group

MOST_CURVES = 10
WIDEST_PLOT = 100


def described(comparison: Comparison, columns: int, axis: str, log: bool) -> str:
    """Return the text of a comparison, its tables at most `columns` wide."""
    lines: list[str] = []
    for group in comparison.groups:
        lines += [*_tables(group, columns), "", *_curves(group, min(columns, WIDEST_PLOT), axis, log), ""]
    return "\n".join([*lines, *_left_out(comparison)]).rstrip()


def drawn(group: Group, axis: str) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of a group that have two points or more: letter → points."""
    curves = {letter: run.curve(group.figure or "", axis) for letter, run in group.runs.items()}
    return {letter: points for letter, points in curves.items() if len(points) > 1}


def title(group: Group) -> str:
    """Return the kind and figure of a group in words.

    >>> from ostinato.training.comparison import Group
    >>> title(Group("task", "valid_mse", {}))
    'task, validation mse'
    """
    words = {"valid_": "validation ", "train_": "training "}
    figure = group.figure or "nothing measured yet"
    prefix = next((p for p in words if figure.startswith(p)), "")
    return f"{group.kind}, {words.get(prefix, '')}{figure.removeprefix(prefix).replace('_', ' ')}"


def _tables(group: Group, columns: int) -> list[str]:
    letters, runs = list(group.runs), list(group.runs.values())
    rows = [_reached(run, group.figure) for run in runs]
    lines = [title(group), "", *blocks(letters, ("run", "least", "at step", "steps", "time", "state"), rows, columns)]
    differences = differing(runs)
    if differences:
        cells = [list(row) for row in zip(*differences.values(), strict=True)]
        return [*lines, "", "settings that differ", "", *blocks(letters, list(differences), cells, columns)]
    return [*lines, *(["", "Their settings are the same."] if len(runs) > 1 else [])]


def _reached(run: ReadRun, figure: str | None) -> list[str]:
    least, step, seconds = run.least(figure or ""), run.reached("step"), run.reached("seconds")
    taken = "-" if step is None else f"{step:,}"
    return [
        str(run.folder),
        "-" if least is None else f"{least[0]:.6g}",
        "-" if least is None else f"{least[1]:,}",
        taken if run.steps is None else f"{taken} of {run.steps:,}",
        "-" if seconds is None else duration(seconds),
        run.state,
    ]


def _curves(group: Group, columns: int, axis: str, log: bool) -> list[str]:
    curves = drawn(group, axis)
    if not curves:
        return ["No curve: it takes two measurements."]
    chosen = {letter: curves[letter] for letter in list(curves)[:MOST_CURVES]}
    lines = [f"curves by {axis}", "", *plot(_single(chosen), columns, log)]
    return lines if len(chosen) == len(curves) else [*lines, f"drawn are the first {MOST_CURVES} of {len(curves)}"]


def _single(curves: dict[str, list[tuple[float, float]]]) -> dict[str, list[tuple[float, float]]]:
    """Return the curves under the last letter of their names, which a plot has room for."""
    return {letter[-1]: points for letter, points in curves.items()}


def _left_out(comparison: Comparison) -> list[str]:
    damaged = [run for group in comparison.groups for run in group.runs.values() if run.damaged]
    notes = [f"{run.folder}: {run.damaged} damaged lines of metrics.jsonl are left out" for run in damaged]
    return notes + [f"left out: {path}: {reason}" for path, reason in comparison.left_out.items()]
