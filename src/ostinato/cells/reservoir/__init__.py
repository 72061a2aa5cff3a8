"""Networks whose recurrent weights are drawn once and never trained."""

from ostinato.cells.cell import Cell

CELLS: dict[str, type[Cell]] = {}
