"""The report of a run: which parts it is judged on, and what of it is kept."""

from __future__ import annotations

import json
from pathlib import Path

from ostinato.data.store import Store
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text


def parts_of(folder: RunFolder) -> list[tuple[str, str]]:
    """Return the parts that a run is judged on, with their names: validation and test, or what it learned from."""
    folder.report.mkdir(exist_ok=True)
    kept = [
        (part, name) for part, name in (("valid", "validation"), ("test", "test")) if len(Store(folder.items / part))
    ]
    return kept or [("train", "training")]


def stem_of(file: str) -> str:
    """Return what the files of a report on `file` begin with: its name without suffix, or that of what is made up.

    >>> stem_of("data/test.2016.csv.gz"), stem_of("generated:shapes?items=9"), stem_of("hf://owner/name?split=test")
    ('test.2016', 'shapes', 'name')
    """
    if file.startswith(("hf://", "generated:")):
        return Path(file.partition("?")[0].removeprefix("generated:")).name
    name = Path(file).name
    return Path(name.removesuffix(".gz")).stem if name != "-" else "standard-input"


def finished(folder: RunFolder, display: Display, found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Write the figures of the parts, and return those of the last."""
    write_text(folder.report / "figures.json", json.dumps(found, indent=1) + "\n")
    display.say(f"report  {folder.report}")
    return list(found.values())[-1]
