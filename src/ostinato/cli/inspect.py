"""`ostinato inspect`: writes the page that `ostinato.inspect` makes of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro

from ostinato.cli.results import say


@dataclass(frozen=True)
class Inspect:
    """Look inside a trained model: how far gradients reach, what its states do and respond to."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    text: str | None = None
    """Text to read (default: what the run kept to validate)."""
    data: Path | None = None
    """File to read: text for a language model, else such as the run learned from."""
    annotation: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """File with a number for each symbol of a text that is read (100,000 at most), for units to follow: one a line, a
    table of one column, or .npy; named by its stem. May be given several times."""
    out: Path | None = None
    """Folder for the page, pictures and numbers (default: inspect in the run)."""
    steps: int = 256
    """Steps of a window."""
    rows: int = 32
    """Windows that are read."""


def run(arguments: list[str], program: str) -> int:
    """Print where the page is."""
    asked = tyro.cli(Inspect, prog=program, args=arguments)

    from ostinato.inspection.annotations import read_annotations
    from ostinato.inspection.report import inspect  # imports torch, which --help does without

    annotations = read_annotations(asked.annotation)
    with _shown() as progress:
        page = inspect(asked.run, text=asked.text, data=asked.data, annotations=annotations, out=asked.out,
                       steps=asked.steps, rows=asked.rows, progress=progress)  # fmt: skip
    print(page)
    return 0


@contextmanager
def _shown() -> Iterator[Callable[[int, int, str], None]]:
    """Yield what shows how far the report is: a bar on a terminal, a line for each section elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total, name: say(f"{done + 1}/{total}  {name}") if name else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = BarColumn(bar_width=12), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=None)

        def show(done: int, total: int, name: str) -> None:
            words = f"{done + 1}/{total}  {name}" if name else "writing the page"
            bar.update(task, completed=done, total=total, description=words)

        yield show
