"""`explain`: a cell in words and numbers, all of it derived from its equations."""

from __future__ import annotations

import inspect
import textwrap

from ostinato.cells.catalogue import CATALOGUE, build_cell
from ostinato.cells.cell import Cell
from ostinato.cells.equation_cell import EquationCell
from ostinato.equations.latex import latex
from ostinato.equations.structure import Structure, structure
from ostinato.unroll import plan


def explain(
    cell: str | type[Cell] | Cell, input_size: int = 128, hidden_size: int = 128, *, with_latex: bool = False
) -> str:
    """Return what there is to know of a cell: equations, parameters and sizes, arithmetic a step, engine and why.

    Raises ConfigError for a name that is not in the catalogue, EquationError for a text that cannot be read.
    """
    built = cell if isinstance(cell, Cell) else build_cell(cell, input_size, hidden_size)
    lines = [_title(cell, built), ""]
    if isinstance(built, EquationCell):
        lines += _equations(built, with_latex)
    lines += _parameters(built)
    if isinstance(built, EquationCell):
        lines += _facts(built)
    lines += ["", f"engine      {plan(built)}"]
    return "\n".join(lines)


def _title(cell: object, built: Cell) -> str:
    info = CATALOGUE.get(cell) if isinstance(cell, str) else None
    if info is None:
        return type(built).__name__
    return f"{info.name}: {info.summary}\n{info.reference}"


def _equations(cell: EquationCell, with_latex: bool) -> list[str]:
    text = inspect.cleandoc(cell.equations)
    printed = [latex(cell.program), ""] if with_latex else []
    return [*textwrap.indent(text, "    ").split("\n"), "", *printed]


def _parameters(cell: Cell) -> list[str]:
    held = {s.name: ", ".join(s.symbols) for s in cell.definition.stacks} if isinstance(cell, EquationCell) else {}
    rows = [
        (name, " x ".join(map(str, p.shape)) or "1", f"{p.numel():,}", held.get(name, ""))
        for name, p in cell.named_parameters()
    ]
    total = sum(p.numel() for p in cell.parameters())
    lines = [f"{'parameter':<12}{'shape':>12}{'numbers':>12}  holds"]
    lines += [f"{name:<12}{shape:>12}{count:>12}  {symbols}".rstrip() for name, shape, count, symbols in rows]
    return [*lines, f"{'total':<12}{'':>12}{total:>12,}", ""]


def _facts(cell: EquationCell) -> list[str]:
    facts: Structure = structure(cell.program, cell.definition.numbers)
    states = ", ".join(f"{name} ({size})" for name, size in cell.definition.states.items())
    products = (
        f"{facts.input_products} with the input, done for all steps at once; {facts.recurrent_products} in the loop"
    )
    return [
        f"state       {states}; output {cell.output_size} numbers",
        f"products    {products}",
        f"arithmetic  {facts.operations:,} operations a step and row (backward about twice as many)",
        f"recurrence  {'diagonal' if facts.is_diagonal else 'full'}, "
        f"{'linear' if facts.is_linear else 'nonlinear'} in the state",
    ]
