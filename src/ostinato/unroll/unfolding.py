"""The unfolding of a cell, drawn: the computational graph of its step, and its unrolled form."""

from __future__ import annotations

from ostinato.cells.catalogue import build_cell
from ostinato.cells.cell import Cell
from ostinato.cells.description import Description
from ostinato.equations.unfolding.ink import svg
from ostinato.equations.unfolding.step import draw_step
from ostinato.equations.unfolding.unrolled import draw_unrolled


def unfolding(
    cell: str | type[Cell] | Cell,
    input_size: int = 128,
    hidden_size: int = 128,
    *,
    name: str = "",
    layers: int = 1,
    both_ways: bool = False,
) -> str:
    """Return a picture of a cell as SVG, whose ink is that of the page it stands on.

    Above, the operations and named values of a step, read from its program: what comes in on the left, states on their
    way to the next step in blue, parameters in the colour of rust, and behind each box the size of what leaves it. A
    plain cell has no program, and its step is not drawn. Below, the same network over its first three steps, `layers`
    above each other, each of two that read in opposite directions where `both_ways`.

    name   is written in the boxes of the steps (default: that of the cell).

    >>> unfolding("lstm", 8, 8).startswith("<svg")
    True

    Raises ConfigError for a name that is not in the catalogue, EquationError for a text that cannot be read.
    """
    built = cell if isinstance(cell, Cell) else build_cell(cell, input_size, hidden_size)
    said = Description(built)
    title = name or (cell if isinstance(cell, str) and cell.isprintable() and "=" not in cell else type(built).__name__)
    states = {state: " × ".join(map(str, shape)) for state, shape in said.states.items()}
    sizes = {"layers": layers, "both_ways": both_ways}
    steps = draw_unrolled(title, states, str(built.input_size), str(built.output_size), **sizes)
    parts = [("The first three steps", steps)]
    if said.definition is not None:
        numbers = ", ".join(f"{symbol} = {number}" for symbol, number in said.definition.numbers.items())
        parts.insert(0, (f"One step, {numbers}" if numbers else "One step", draw_step(said.definition.program)))
    return svg(parts, f"Computational graph of {title}: one step, and the first three steps one after the other")
