"""`ostinato cells`: prints the catalogue, `ostinato.CATALOGUE`, family by family."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ostinato._errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from ostinato.cells.catalogue import CellInfo

ONE_LINE = 1_000_000
"""Columns where output is piped: each cell is one line, for grep."""
FEWEST_BESIDE = 36
"""Columns a summary needs beside the numbers; in fewer it stands below them."""
NARROWEST = 24
MOST_STATES = 3
"""States whose names are printed; of more, the first and how many follow."""
INDENT = "    "
HEADINGS = ("cell", "parameters", "states", "products", "recurrence")


@dataclass(frozen=True)
class Cells:
    """List the cells that have a name, family by family.

    Products a step are those with the input + those with the state. In a diagonal recurrence no unit hears another one;
    in a linear one the next state is linear in the last.
    """

    which: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FAMILY|CELL …]")] = ()
    """Families or cells; all where none is named."""
    equations: bool = False
    """Print the equations of each as well."""
    input_size: int = 128
    """Numbers a cell reads at each step, for the count of its parameters."""
    hidden_size: int = 128
    """Units, for the count of its parameters."""


def run(arguments: list[str], program: str) -> int:
    """Print a table for each family."""
    asked = tyro.cli(Cells, prog=program, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))

    from ostinato.cells.catalogue import FAMILIES  # imports torch, which --help does without

    for name in ("input_size", "hidden_size"):
        if getattr(asked, name) < 1:
            raise ConfigError(name, f"{getattr(asked, name)} was given", "A size is at least 1", "")
    infos = _chosen(asked.which)
    rows = [_row(info, asked.input_size, asked.hidden_size) for info in infos]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *(row.numbers for row in rows), strict=True)]
    columns = _columns()
    for family in FAMILIES:
        name = family.__name__.rpartition(".")[2]
        own = [row for row in rows if row.info.family == name]
        if own:
            sentence = str(family.__doc__).split("\n")[0]
            print(textwrap.fill(f"{name}: {sentence}", columns, subsequent_indent="  "), end="\n\n")
            print(_aligned(HEADINGS, widths))
            for row in own:
                _print(row, widths, columns, asked.equations)
            print()
    sizes = f"At input size {asked.input_size}, hidden size {asked.hidden_size}."
    print(textwrap.fill(f"{sizes} More of one: ostinato explain NAME", columns))
    return 0


@dataclass(frozen=True)
class Row:
    """One cell: what stands in the columns, and the sentence beside or below them."""

    info: CellInfo
    numbers: tuple[str, ...]
    sentence: str


def _chosen(which: Sequence[str]) -> list[CellInfo]:
    from ostinato.cells.catalogue import CATALOGUE

    families = dict.fromkeys(info.family for info in CATALOGUE.values())
    for name in which:
        if name not in CATALOGUE and name not in families:
            near = did_you_mean(name, [*families, *CATALOGUE])
            possible = f"Families are {', '.join(families)}; cells are what 'ostinato cells' lists"
            raise ConfigError("cells", f"no family or cell is called '{name}'", possible, near)
    return [info for info in CATALOGUE.values() if not which or info.name in which or info.family in which]


def _row(info: CellInfo, input_size: int, hidden_size: int) -> Row:
    from ostinato.cells.description import Description

    try:
        said = Description(info.build(input_size, hidden_size))
    except ConfigError as error:
        return Row(info, (info.name, "", "", "", ""), f"Not at these sizes: {error}")
    names = list(said.states)
    states = ", ".join(names) if len(names) <= MOST_STATES else f"{names[0]} and {len(names) - 1} more"
    if not said.equations:  # to read the step of a plain cell takes a second
        return Row(info, (info.name, f"{said.trained:,}", states, "", ""), info.summary)
    facts = said.structure
    assert not isinstance(facts, str)
    products = f"{facts.input_products} + {facts.recurrent_products}"
    return Row(info, (info.name, f"{said.trained:,}", states, products, ", ".join(said.marks)), info.summary)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return the columns of a row: parameters to the right, words to the left."""
    name, parameters, *rest = row
    words = "  ".join(text.ljust(width) for text, width in zip(rest, widths[2:], strict=True))
    return f"{name:<{widths[0]}}  {parameters:>{widths[1]}}  {words}"


def _print(row: Row, widths: Sequence[int], columns: int, with_equations: bool) -> None:
    numbers = _aligned(row.numbers, widths) + "  "
    if columns - len(numbers) >= FEWEST_BESIDE:
        print(textwrap.fill(row.sentence, columns, initial_indent=numbers, subsequent_indent=" " * len(numbers)))
    else:
        print(numbers.rstrip())
        print(textwrap.fill(row.sentence, columns, initial_indent=INDENT, subsequent_indent=INDENT))
    if with_equations and row.info.equations:
        print("\n" + textwrap.indent(inspect.cleandoc(row.info.equations), INDENT) + "\n")


def _columns() -> int:
    """Return how wide the reader's terminal is."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(NARROWEST, shutil.get_terminal_size().columns)
    return ONE_LINE
