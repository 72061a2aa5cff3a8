"""The catalogue: every cell that has a name, for the command line, the generic tests and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc, getmodule, signature
from typing import Any

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells import convolutional, diagonal, foundations, gated, reservoir, stable
from ostinato.cells.cell import Cell
from ostinato.cells.definition import needed_sizes
from ostinato.cells.equation_cell import EquationCell, cell_class, program_of, text_of


@dataclass(frozen=True)
class CellInfo:
    """One entry: the name users type, the class, and its family, which is the folder it stands in."""

    name: str
    kind: type[Cell]
    family: str

    @property
    def summary(self) -> str:
        """The first sentence of the class."""
        return (getdoc(self.kind) or "").split("\n")[0]

    @property
    def reference(self) -> str:
        """The first line of the file it stands in: the paper."""
        return (getattr(getmodule(self.kind), "__doc__", "") or "").split("\n")[0]

    @property
    def equations(self) -> str:
        """The text everything is derived from; empty for a plain cell."""
        return text_of(self.kind) if issubclass(self.kind, EquationCell) else ""

    def build(self, input_size: int, hidden_size: int, **values) -> Any:
        """Return a cell; sizes it cannot do without default to half of `hidden_size`."""
        if not issubclass(self.kind, EquationCell):
            return self.kind(input_size, hidden_size, **self._known(values))  # type: ignore[call-arg]
        sizes: dict[str, Any] = dict.fromkeys(needed_sizes(program_of(self.kind)), max(1, hidden_size // 2))
        return self.kind(input_size, hidden_size, **sizes | values)

    def _known(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the keywords of a plain cell, which draws its weights its own way. Raises ConfigError for another."""
        given = {k: v for k, v in values.items() if k != "initialisers" or v not in ("uniform", {"": "uniform"})}
        known = signature(self.kind).parameters
        for key in given.keys() - known.keys():
            near = did_you_mean(key, known)
            raise ConfigError(f"cell {self.name}", f"unknown keyword '{key}'", f"Known are {', '.join(known)}", near)
        return given


FAMILIES = (foundations, gated, stable, diagonal, reservoir, convolutional)
CATALOGUE: Mapping[str, CellInfo] = {
    name: CellInfo(name, kind, family.__name__.rpartition(".")[2])
    for family in FAMILIES
    for name, kind in family.CELLS.items()
}


def build_cell(cell: str | type[Cell] | Cell, input_size: int, hidden_size: int, **values) -> Cell:
    """Return a cell from its name in the catalogue, the text of its equations, or a class of cells.

    Raises ConfigError for a name that is not in the catalogue, EquationError for a text that cannot be read.
    """
    if isinstance(cell, type) and issubclass(cell, Cell):
        return cell(input_size, hidden_size, **values)
    if not isinstance(cell, str):
        raise ConfigError(
            "cell",
            f"{type(cell).__name__} was given",
            "A cell is a name, the text of its equations, or a class",
            "",
        )
    if "=" in cell:
        return cell_class(cell)(input_size, hidden_size, **values)
    if cell not in CATALOGUE:
        near = did_you_mean(cell, CATALOGUE)
        raise ConfigError(
            "cell",
            f"unknown cell '{cell}'",
            f"Known are the {len(CATALOGUE)} that 'ostinato cells' lists; or the text of equations, or a .eq file",
            near,
        )
    return CATALOGUE[cell].build(input_size, hidden_size, **values)
