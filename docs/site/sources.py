"""The folder of Markdown that Sphinx reads: the pages of cells, their families, and the pages kept by hand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from docs.site.cell_page import page
from docs.site.pictures import REACH, RESPONSE, UNFOLDING, draw_reach, draw_response, draw_unfolding
from ostinato import CATALOGUE
from ostinato.cells.catalogue import FAMILIES

ROOT = Path(__file__).parents[2]
BY_HAND = (
    "README.md", "docs/sequences.md", "docs/design/*.md", "docs/log.md", "benchmarks/README.md", "CONTRIBUTING.md",
    "CHANGELOG.md",
)  # fmt: skip
"""Pages taken as they are, at the places they have, so that their links lead where they led."""
SENTENCE = "Write the equations of a recurrent network; Ostinato gives you the network."
DRAWN = {
    "Unfolding": (draw_unfolding, UNFOLDING),
    "How its states answer": (draw_response, RESPONSE),
    "How far gradients reach": (draw_reach, REACH),
}


def write_sources(folder: Path, names: Sequence[str]) -> None:
    """Write the Markdown and pictures of these cells, and all that stands around them."""
    kept = [path.relative_to(ROOT) for pattern in BY_HAND for path in sorted(ROOT.glob(pattern))]
    for path in kept:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    families = [(Family(f), own) for f in FAMILIES if (own := [name for name in f.CELLS if name in names])]
    for family, own in families:
        _write_family(folder / "cells" / family.name, family, own)
    _write(folder / "index.md", _index(families, kept))


class Family:
    """The name and the sentence of a family's package."""

    def __init__(self, package: ModuleType):
        self.name = package.__name__.rpartition(".")[2]
        self.sentence = str(package.__doc__).split("\n")[0]


def _write_family(folder: Path, family: Family, names: Sequence[str]) -> None:
    rows = "\n".join(f"| [{name}]({name}.md) | {CATALOGUE[name].summary} |" for name in names)
    table = f"| cell | |\n| :-- | :-- |\n{rows}"
    _write(folder / "index.md", f"# {family.name}\n\n{family.sentence}\n\n{table}\n\n{_contents(names)}")
    for name in names:
        pictures = {}
        for k, (what, (draw, caption)) in enumerate(DRAWN.items(), 1):
            draw(name, folder / f"{name}-{k}.svg")
            picture = f"```{{container}} wide\n![{what}]({name}-{k}.svg)\n```"  # keeps its size, and is moved sideways
            pictures[what] = f"{caption}\n\n{picture}"
        _write(folder / f"{name}.md", page(name, pictures))


def _index(families: Sequence[tuple[Family, list[str]]], kept: Sequence[Path]) -> str:
    rows = [f"| [{f.name}](cells/{f.name}/index.md) | {len(own)} | {f.sentence} |" for f, own in families]
    table = "\n".join(["| family | cells | |", "| :-- | --: | :-- |", *rows])
    cells = _contents([f"cells/{family.name}/index" for family, _ in families], caption="Cells", depth=2)
    pages = _contents(["Start <README>", *(str(path.with_suffix("")) for path in kept[1:])], caption="About")
    return f"# Ostinato\n\n{SENTENCE} [Start here](README.md).\n\n## Cells\n\n{table}\n\n{cells}\n\n{pages}"


def _contents(pages: Sequence[str], *, caption: str = "", depth: int = 1) -> str:
    options = [":hidden:", f":maxdepth: {depth}", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *options, "", *pages, "```", ""])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
