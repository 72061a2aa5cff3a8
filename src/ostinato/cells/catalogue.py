"""The catalogue: every cell that has a name, for the command line, the generic tests and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc, getmodule
from typing import Any

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.cell import Cell
from ostinato.cells.definition import needed_sizes
from ostinato.cells.elman import Elman, ElmanReLU
from ostinato.cells.equation_cell import EquationCell, cell_class, program_of
from ostinato.cells.gru import GRU, GRUResetBefore
from ostinato.cells.jordan import Jordan
from ostinato.cells.lstm import LSTM, ProjectedLSTM


@dataclass(frozen=True)
class CellInfo:
    """One entry: the name users type, the class, and its family."""

    name: str
    kind: type[EquationCell]
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
        """The text everything is derived from."""
        return self.kind.equations

    def build(self, input_size: int, hidden_size: int, **values) -> EquationCell:
        """Return a cell; sizes it cannot do without default to half of `hidden_size`."""
        sizes: dict[str, Any] = dict.fromkeys(needed_sizes(program_of(self.kind)), max(1, hidden_size // 2))
        return self.kind(input_size, hidden_size, **sizes | values)


CATALOGUE: Mapping[str, CellInfo] = {
    info.name: info
    for info in [
        CellInfo("elman", Elman, "foundations"),
        CellInfo("elman-relu", ElmanReLU, "foundations"),
        CellInfo("jordan", Jordan, "foundations"),
        CellInfo("lstm", LSTM, "gated"),
        CellInfo("projected-lstm", ProjectedLSTM, "gated"),
        CellInfo("gru", GRU, "gated"),
        CellInfo("gru-reset-before", GRUResetBefore, "gated"),
    ]
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
            f"Known are {', '.join(CATALOGUE)}; or the text of equations, or a .eq file",
            near,
        )
    return CATALOGUE[cell].build(input_size, hidden_size, **values)
