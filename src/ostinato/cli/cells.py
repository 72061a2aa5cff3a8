"""`ostinato cells`: prints the catalogue, `ostinato.CATALOGUE`."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Cells:
    """List the cells that have a name."""

    equations: bool = False
    """Print the equations of each as well."""


def run(arguments: list[str], program: str) -> int:
    """Print one cell a line, or its equations below it."""
    asked = tyro.cli(Cells, prog=program, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))

    from ostinato.cells.catalogue import CATALOGUE  # imports torch, which --help does without

    width = max(map(len, CATALOGUE)) + 2
    families = max(len(info.family) for info in CATALOGUE.values()) + 2
    for name, info in CATALOGUE.items():
        print(f"{name:<{width}}{info.family:<{families}}{info.summary}")
        if asked.equations:
            print(textwrap.indent(inspect.cleandoc(info.equations), "    ") + "\n")
    print("\nMore of one: ostinato explain NAME")
    return 0
