"""One run as its folder tells it: settings, measurements, whether it is at an end. Damage is counted, not raised."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ostinato._errors import RunError
from ostinato.training.config import (
    AnyRun,
    CaptionerRun,
    ClassifierRun,
    ForecasterRun,
    ReservoirRun,
    Run,
    TaggerRun,
    TaskRun,
    TranscriberRun,
    TranslatorRun,
    parse_yaml,
    sections,
)
from ostinato.training.run_folder import RunFolder

KINDS: dict[str, AnyRun] = {
    kind.kind: kind()
    for kind in (
        Run,
        TaskRun,
        ReservoirRun,
        ClassifierRun,
        TaggerRun,
        ForecasterRun,
        TranslatorRun,
        TranscriberRun,
        CaptionerRun,
    )
}
AXES = ("step", "epoch", "symbols", "sequences", "seconds")
"""What a line of `metrics.jsonl` counts beside its figures."""
Point = tuple[float, float]


@dataclass(frozen=True)
class ReadRun:
    """A run folder, read: `lines` are its measurements, `damaged` counts those that could not be read."""

    folder: Path
    kind: str
    settings: dict[str, Any]
    lines: list[dict[str, float]]
    damaged: int
    state: str
    """running, done, solved, stopped, or not begun."""

    @property
    def score(self) -> str | None:
        """The figure that decides which weights are best, the first of a validation; None where none was measured."""
        names = self.lines[-1] if self.lines else {}
        return next((name for name in names if name.startswith("valid_")), None)

    @property
    def figures(self) -> list[str]:
        """The names of all that was measured."""
        return list(dict.fromkeys(name for line in self.lines for name in line if name not in AXES))

    @property
    def steps(self) -> int | None:
        """Steps the run is to take, or None for a kind that takes none."""
        return self.settings.get("steps") if self.kind != ReservoirRun.kind else None

    def reached(self, axis: str) -> float | None:
        """Return the last count on an axis, as `step` or `seconds`."""
        counts = [line[axis] for line in self.lines if axis in line]
        return counts[-1] if counts else None

    def curve(self, figure: str, axis: str = "step") -> list[Point]:
        """Return (count, figure) of each measurement that has both."""
        return [(line[axis], line[figure]) for line in self.lines if axis in line and figure in line]

    def least(self, figure: str) -> Point | None:
        """Return the smallest value of a figure and the step it was measured at, or None where there is none."""
        points = [(value, step) for step, value in self.curve(figure)]
        return min(points, default=None)


def read_run(path: Path) -> ReadRun:
    """Read the run in the folder `path`. Raises RunError or ConfigError for what is no run, or one that is damaged."""
    if path.is_file():
        raise RunError(str(path), "this is a file, no run folder")
    named = RunFolder(path)
    try:
        document = parse_yaml(str(named.config), named.config.read_text(encoding="utf-8")) if named.is_run() else {}
    except UnicodeDecodeError:
        document = {}
    folder = RunFolder(path, KINDS.get(str(document.get("kind"))))
    run = folder.read_config()
    lines, damaged = _measurements(folder.metrics)
    settings = {name: value for part in sections(run) for name, value in asdict(getattr(run, part)).items()}
    return ReadRun(path, folder.kind, settings, lines, damaged, _state(run, folder, lines))


def _measurements(path: Path) -> tuple[list[dict[str, float]], int]:
    """Return the lines of `metrics.jsonl` that can be read, with their finite numbers, and how many cannot."""
    if not path.is_file():
        return [], 0
    lines, damaged = [], 0
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(text)
        except json.JSONDecodeError:
            entry = None
        if isinstance(entry, dict) and _is_number(entry.get("step")):
            lines.append({name: value for name, value in entry.items() if _is_number(value)})
        else:
            damaged += 1
    return lines, damaged


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _state(run: Any, folder: RunFolder, lines: list[dict[str, float]]) -> str:
    if folder.is_busy():
        return "running"
    if not lines:
        return "not begun" if run.kind != ReservoirRun.kind else "stopped"
    fitted = run.kind == ReservoirRun.kind or not lines[-1]["step"]  # a baseline that takes no steps writes step 0
    if fitted or lines[-1]["step"] >= (run.training.steps or math.inf):
        return "done"
    return "solved" if isinstance(run, TaskRun) and _is_solved(run, lines[-1]) else "stopped"


def _is_solved(run: TaskRun, line: dict[str, float]) -> bool:
    from ostinato.training.sequence_task import goal_of  # imports accelerate, which other kinds do without

    name, value = goal_of(run)
    return line.get(f"valid_{name}", math.inf) <= value
