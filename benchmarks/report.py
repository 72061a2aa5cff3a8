"""The saved results as Markdown, and the block of the README that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.suites import SUITES
from benchmarks.table import markdown

README = Path(__file__).parent / "README.md"
BEGIN = "<!-- results: what `python -m benchmarks report` writes here is overwritten -->"
END = "<!-- end of results -->"


def text(results: Path, names: Iterable[str]) -> str:
    """Return the tables of the suites that have been measured."""
    saved = {name: results / f"{name}.json" for name in names}
    parts = [_section(name, json.loads(path.read_text())) for name, path in saved.items() if path.exists()]
    return "\n\n".join(parts)


def page(results: Path) -> str:
    """Return the README with the tables of all suites between its two marks."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text(results, SUITES)}\n\n{END}{after}"


def _section(name: str, saved: dict) -> str:
    suite = SUITES[name]
    machine = ", ".join(f"{key} {value}" for key, value in saved["machine"].items())
    skipped = [f"Skipped: {what} ({reason})" for what, reason in saved.get("skipped", {}).items()]
    head = f"### {suite.table.title}\n\n`python -m benchmarks {name}`: {machine}."
    return "\n\n".join([head, suite.table.caption, *skipped, markdown(suite.table, saved["rows"])])
