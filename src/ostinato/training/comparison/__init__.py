"""Runs beside each other: what each reached, the settings in which they differ, and their curves.

This is the one call behind `ostinato compare`.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ostinato._errors import ConfigError, OstinatoError, RunError, did_you_mean
from ostinato.training.comparison.report import described
from ostinato.training.comparison.runs import ReadRun, read_run

__all__ = ["Comparison", "Group", "ReadRun", "compare"]


@dataclass(frozen=True)
class Group:
    """Runs of one kind that are measured by the same figure: letter → run, those with the best score first."""

    kind: str
    figure: str | None
    runs: dict[str, ReadRun]


@dataclass(frozen=True)
class Comparison:
    """Runs in groups that can be compared, and what could not be read, with its reason."""

    groups: list[Group]
    left_out: dict[Path, str]

    def text(self, *, columns: int = 100, axis: str = "step", log: bool = False) -> str:
        """Return tables and curves, as `ostinato compare` prints them."""
        return described(self, columns, axis, log)

    def draw(self, path: str | Path, *, axis: str = "step", log: bool = False) -> None:
        """Draw the curves into a picture: SVG, PNG or PDF, by its name. Raises ConfigError for another name."""
        from ostinato.training.comparison.picture import draw  # imports matplotlib

        draw(self, Path(path), axis, log)

    def __str__(self) -> str:
        return self.text()


def compare(*folders: str | Path, figure: str | None = None) -> Comparison:
    """Read the runs in `folders` and set them beside each other.

    A folder that is no run but holds runs stands for those in it. `figure` is what is compared, by its name in
    `metrics.jsonl`; by default the score of a run, or bits a character where the symbols of texts differ.
    What cannot be read is left out with its reason. Raises RunError where nothing is left, ConfigError for a figure
    that was not measured.
    """
    runs, left_out = [], {}
    for path in _expanded(Path(folder) for folder in folders):
        try:
            runs.append(read_run(path))
        except (OstinatoError, OSError) as error:
            left_out[path] = str(error).removeprefix(f"{path}: ")
    if not runs:
        reasons = " ".join(f"{path}: {reason}" for path, reason in left_out.items())
        raise RunError("compare", "no run is there to compare", reasons, "Name folders that a training made")
    if figure is not None:
        figure = _measured(figure, runs)
    return Comparison(_grouped(runs, figure), left_out)


def _expanded(folders: Iterable[Path]) -> list[Path]:
    """Return the folders without repetition; one that only holds runs gives way to those."""
    found: dict[Path, None] = {}
    for folder in folders:
        inside = [] if (folder / "config.yaml").exists() or not folder.is_dir() else sorted(folder.iterdir())
        runs = [path for path in inside if (path / "config.yaml").exists() and not path.name.startswith(".")]
        found.update(dict.fromkeys(runs or [folder]))
    return list(found)


def _grouped(runs: list[ReadRun], figure: str | None) -> list[Group]:
    """Return the runs by kind and figure; one without measurements stands with others of its kind."""
    apart: dict[tuple[str, str | None], list[ReadRun]] = {}
    for run in runs:
        apart.setdefault((run.kind, figure or _own_figure(run, runs)), []).append(run)
    for kind in dict.fromkeys(kind for kind, _ in apart):
        measured = next((key for key in apart if key[0] == kind and key[1]), None)
        if measured and (kind, None) in apart:
            apart[measured] += apart.pop((kind, None))
    letters = _letters()
    return [
        Group(kind, shown, {next(letters): run for run in _best_first(of, shown)})
        for (kind, shown), of in apart.items()
    ]


def _own_figure(run: ReadRun, runs: list[ReadRun]) -> str | None:
    symbols = {other.settings["tokens"] for other in runs if other.kind == run.kind and "tokens" in other.settings}
    if len(symbols) > 1 and run.score is not None:
        return "valid_bits_per_character"
    return run.score or next(iter(run.figures), None)


def _best_first(runs: list[ReadRun], figure: str | None) -> list[ReadRun]:
    """Return runs by their least figure; as they were given where it is no loss."""
    if figure is None or not figure.startswith(("valid_", "train_")):
        return runs
    least = {run.folder: run.least(figure) for run in runs}
    return sorted(runs, key=lambda run: (least[run.folder] is None, least[run.folder] or (0.0, 0.0)))


def _measured(figure: str, runs: list[ReadRun]) -> str:
    """Return the name in `metrics.jsonl` of a figure that was asked for, with or without `valid_`."""
    known = dict.fromkeys(name for run in runs for name in run.figures)
    for name in (figure, f"valid_{figure}"):
        if name in known:
            return name
    possible = f"Measured are {', '.join(known)}" if known else "Nothing was measured yet"
    raise ConfigError("--figure", f"no run measured '{figure}'", possible, did_you_mean(figure, known))


def _letters() -> Iterator[str]:
    """Yield a to z, then aa to zz, …"""
    length = 1
    while True:
        yield from map("".join, product(string.ascii_lowercase, repeat=length))
        length += 1
