"""Networks whose states are images, and whose products are convolutions."""

from ostinato.cells.cell import Cell

CELLS: dict[str, type[Cell]] = {}
