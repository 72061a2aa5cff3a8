"""What was measured of a cell: the saved rows of the benchmarks whose equations are the cell's."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from benchmarks import texts
from benchmarks.suites import SUITES
from benchmarks.table import Row, markdown

from ostinato import CATALOGUE, Cell, EquationCell
from ostinato.equations.normal import normal_form
from ostinato.equations.parse import parse
from ostinato.equations.program import Program

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def measured(name: str, cell: Cell, results: Path = RESULTS) -> list[str]:
    """Return a table in Markdown for each suite that ran this cell, with the machine and the commit.

    A row names a cell of the catalogue, or a text of the benchmarks, whose equations are then compared.
    """
    names = {name, *(_texts_of(cell.program) if isinstance(cell, EquationCell) else ())}
    found = []
    for suite, saved in _saved(results):
        rows = [row for row in saved["rows"] if row.get("cell") in names and "size" in row and _is_chosen(row)]
        if rows:
            machine = ", ".join(f"{key} {value}" for key, value in saved["machine"].items())
            table = markdown(SUITES[suite].table, rows)
            found += [f"`python -m benchmarks {suite}`: {machine}.", table]
    return found


def _is_chosen(row: Row) -> bool:
    """Return whether a row ran on the engine that is taken where none is named."""
    return not row.get("engine", "").endswith("by name")


@cache
def _saved(results: Path) -> list[tuple[str, dict]]:
    paths = [(name, results / f"{name}.json") for name in SUITES]
    return [(name, json.loads(path.read_text())) for name, path in paths if path.exists()]


@cache
def _texts_of(program: Program) -> list[str]:
    """Return the names under which the benchmarks measure these equations."""
    measured = {text.name: parse(text.equations) for text in (texts.ELMAN, texts.GRU, texts.LSTM, *texts.OTHERS)}
    return [
        name
        for name, other in measured.items()
        if name not in CATALOGUE and normal_form(other).key == normal_form(program).key
    ]
