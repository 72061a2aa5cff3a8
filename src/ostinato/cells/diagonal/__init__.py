"""Networks in which no unit hears another one within a step; many of them are linear in the state."""

from ostinato.cells.cell import Cell

CELLS: dict[str, type[Cell]] = {}
