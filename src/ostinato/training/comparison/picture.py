"""The curves of runs as a picture, by matplotlib: a panel for each group of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato._errors import ConfigError
from ostinato.training.comparison.report import drawn, title
from ostinato.training.comparison.settings import differing

if TYPE_CHECKING:
    from ostinato.training.comparison import Comparison, Group

FORMATS = (".svg", ".png", ".pdf")
WIDTH, HEIGHT = 8.0, 3.6
"""Inches of a panel."""
MOST_NAMED = 20
"""Runs that the legend has room for."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ostinato", "svg.fonttype": "none", "font.size": 9.0, "lines.linewidth": 1.2,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "legend.frameon": False,
}  # fmt: skip


def draw(comparison: Comparison, path: Path, axis: str, log: bool) -> None:
    """Write the picture. Raises ConfigError for a name of another format."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError("--out", f"'{path}' was given", f"A picture is called {', '.join('*' + f for f in FORMATS)}")
    import matplotlib
    from matplotlib.figure import Figure

    groups = [group for group in comparison.groups if drawn(group, axis)]
    if not groups:
        raise ConfigError("--out", "there is no curve to draw", "A run has one after two measurements")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(groups)), layout="constrained")
        for panel, group in zip(figure.subplots(len(groups), squeeze=False)[:, 0], groups, strict=True):
            _panel(panel, group, axis, log)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=metadata)


def _panel(panel: Any, group: Group, axis: str, log: bool) -> None:
    differences = differing(list(group.runs.values()))
    for index, (letter, points) in enumerate(drawn(group, axis).items()):
        label = _label(letter, group, differences) if index < MOST_NAMED else "_"  # matplotlib's sign for no entry
        panel.plot(*zip(*points, strict=True), label=label)
    panel.set_title(title(group), loc="left", fontsize=9)
    panel.set_xlabel(axis)
    panel.set_yscale("log" if log else "linear")
    panel.legend(fontsize=7)


def _label(letter: str, group: Group, differences: dict[str, list[str]]) -> str:
    """Return the run's name and the first settings in which it differs."""
    index = list(group.runs).index(letter)
    settings = ", ".join(f"{name} {values[index]}" for name, values in list(differences.items())[:3])
    return f"{letter} {group.runs[letter].folder.name}" + (f" ({settings})" if settings else "")
