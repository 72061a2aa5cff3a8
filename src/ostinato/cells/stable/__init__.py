"""Networks whose state follows a differential equation, or whose weights keep its size."""

from ostinato.cells.cell import Cell

CELLS: dict[str, type[Cell]] = {}
