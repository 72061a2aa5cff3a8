"""`ostinato explain`: prints what `ostinato.explain` says of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from ostinato._errors import ConfigError


@dataclass(frozen=True)
class Explain:
    """Show a cell: its equations, parameters and sizes, the cost of a step, the engine and why."""

    cell: tyro.conf.Positional[str]
    """Name from `ostinato cells`, a file of equations (.eq), or the equations themselves."""
    input_size: int = 128
    """Numbers it reads at each step."""
    hidden_size: int = 128
    """Units."""
    latex: bool = False
    """Print the equations in LaTeX as well."""
    source: bool = False
    """Print the C++ of its compiled loop as well, forward and backward."""
    svg: Path | None = None
    """File for a drawing of a step's operations, and of the first three steps."""


def run(arguments: list[str], program: str) -> int:
    """Print the explanation."""
    asked = tyro.cli(Explain, prog=program, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    if asked.svg is not None and asked.svg.is_dir():
        raise ConfigError("svg", f"'{asked.svg}' is a folder", "A drawing is one file", "Name it, as lstm.svg")

    from ostinato._files import replace_file
    from ostinato.training.config import cell_text
    from ostinato.unroll.explain import explain  # imports torch, which --help does without
    from ostinato.unroll.unfolding import unfolding

    text, sizes = cell_text(asked.cell), (asked.input_size, asked.hidden_size)
    print(explain(text, *sizes, with_latex=asked.latex, with_source=asked.source))
    if asked.svg is not None:
        replace_file(asked.svg, unfolding(text, *sizes).encode())
    return 0
