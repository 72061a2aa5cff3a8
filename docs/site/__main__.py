"""Builds the site: the pages are written as Markdown, then Sphinx turns them into HTML; a broken link is an error."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from sphinx.cmd.build import build_main

from docs.site.sources import write_sources
from ostinato import CATALOGUE
from ostinato._errors import did_you_mean

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site and return an exit code, 1 after a warning."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("cells", nargs="*", metavar="CELL", help="cells that get a page; all where none is named")
    parser.add_argument("--out", type=Path, default=Path("build/docs"), help="folder of the pages, made anew")
    asked = parser.parse_args(arguments)
    for name in asked.cells:
        if name not in CATALOGUE:
            parser.error(f"no cell is called '{name}'. {did_you_mean(name, CATALOGUE)}")
    work = asked.out.with_name(f"{asked.out.name}-sources")
    for folder in (asked.out, work):
        shutil.rmtree(folder, ignore_errors=True)
    torch.set_num_threads(1)  # the cells are small, and a second thread would only be waited for
    names = [name for name in CATALOGUE if not asked.cells or name in asked.cells]
    write_sources(work, names)
    folders = ["-c", str(HERE), "-d", str(work / ".doctrees"), str(work), str(asked.out)]
    code = build_main(["-q", "-W", "--keep-going", *folders])
    print(f"{len(names)} cells: {asked.out / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
