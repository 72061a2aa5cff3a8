"""`ostinato compare`: prints runs beside each other, by `ostinato.compare`."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

ONE_LINE = 1_000_000
"""Columns where output is piped: each run is one line, for grep."""
NARROWEST = 40


@dataclass(frozen=True)
class Compare:
    """Show runs side by side: what each reached, the settings in which they differ, and their curves."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FOLDER …]")] = (Path("runs"),)
    """Folders of runs, or folders that hold runs."""
    figure: str | None = None
    """What is compared, by its name in metrics.jsonl (default: the score that decides which weights are best)."""
    axis: Literal["step", "epoch", "seconds"] = "step"
    """What curves are drawn over."""
    log: bool = False
    """Draw figures on a logarithmic axis."""
    out: Path | None = None
    """Picture to draw as well: .svg, .png or .pdf."""


def run(arguments: list[str], program: str) -> int:
    """Print tables and curves, and draw the picture that is asked for."""
    asked = tyro.cli(Compare, prog=program, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))

    from ostinato.training.comparison import compare  # imports torch, which --help does without

    comparison = compare(*asked.folders, figure=asked.figure)
    print(comparison.text(columns=_columns(), axis=asked.axis, log=asked.log))
    if asked.out is not None:
        comparison.draw(asked.out, axis=asked.axis, log=asked.log)
        print(f"\nDrawn into {asked.out}")
    return 0


def _columns() -> int:
    """Return how wide the reader's terminal is."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(NARROWEST, shutil.get_terminal_size().columns)
    return ONE_LINE
