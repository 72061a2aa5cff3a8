"""`explain`: a cell in words and numbers, all of it derived from its equations."""

from __future__ import annotations

import textwrap

from ostinato.cells.catalogue import CATALOGUE, build_cell
from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.description import Description
from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.reading import read_step, why_unreadable
from ostinato.unroll import plan
from ostinato.unroll.native.compiled import Compiled, compiled
from ostinato.unroll.native.printer import HEADERS

WIDTH = 100
"""Columns of the sentences."""


def explain(
    cell: str | type[Cell] | Cell,
    input_size: int = 128,
    hidden_size: int = 128,
    *,
    with_latex: bool = False,
    with_source: bool = False,
) -> str:
    """Return what there is to know of a cell: equations, parameters and sizes, arithmetic a step, engine and why.

    `with_source` adds the C++ of its compiled loop, forward and backward.

    Raises ConfigError for a name that is not in the catalogue, EquationError for a text that cannot be read.
    """
    built = cell if isinstance(cell, Cell) else build_cell(cell, input_size, hidden_size)
    said = Description(built)
    known = _compiled(built)
    lines = [*_title(cell, said), *_equations(said, with_latex), *_parameters(said), *_facts(said), *_memory(known)]
    lines += ["", f"engine      {plan(built)}"]
    return "\n".join([*lines, *(_source(known) if with_source else [])])


def _compiled(cell: Cell) -> Compiled | str:
    """Return the compiled form of a cell, its products with the input inside the loop, or why there is none."""
    if isinstance(cell, EquationCell):
        return compiled(cell.definition, hoisted=False)
    bound = cell.bind()
    if not isinstance(bound, BoundCell):
        return compiled(bound.definition, hoisted=False)  # type: ignore[attr-defined]
    return why_unreadable(cell) or compiled(read_step(cell), hoisted=False)


def _memory(known: Compiled | str) -> list[str]:
    if isinstance(known, str):
        return []
    everything, states = (4 * n for n in (known.passes.saved_per_row, known.passes.saved_to_recompute))
    return [
        f"memory      {everything:,} bytes kept for the backward pass, a step and row in float32; "
        f"{states:,} with recompute"
    ]


def _source(known: Compiled | str) -> list[str]:
    if isinstance(known, str):
        return ["", f"source      none: {known}"]
    lines = []
    for direction in ("forward", "backward"):
        lines += ["", f"// ---- {direction}, after {', '.join(HEADERS)} in ostinato/unroll/native/source", ""]
        lines.append(known.source(direction).own)
    return lines


def _title(cell: object, said: Description) -> list[str]:
    info = CATALOGUE.get(cell) if isinstance(cell, str) else None
    name = type(said.cell).__name__ if info is None else info.name
    remarks = [line for remark in said.remarks for line in (*textwrap.wrap(remark, WIDTH), "")]
    first = f"{name}: {said.summary}" if said.summary else name
    return [first, *([info.reference] if info else []), "", *remarks]


def _equations(said: Description, with_latex: bool) -> list[str]:
    printed = [said.latex, ""] if with_latex and said.latex else []
    if not said.equations:
        return printed
    return [*textwrap.indent(said.equations, "    ").split("\n"), "", *printed]


def _parameters(said: Description) -> list[str]:
    width = max(12, *(len(held.name) + 2 for held in said.held)) if said.held else 12
    lines = [f"{'parameter':<{width}}{'shape':>12}{'numbers':>12}  holds"]
    for held in said.held:
        shape = " x ".join(map(str, held.shape)) or "1"
        symbols = ", ".join(held.symbols) + (" (frozen)" if held.is_frozen else "")
        lines.append(f"{held.name:<{width}}{shape:>12}{held.numbers:>12,}  {symbols.strip()}".rstrip())
    frozen = f"  and {said.frozen:,} that are never trained" if said.frozen else ""
    return [*lines, f"{'total':<{width}}{'':>12}{said.trained:>12,}{frozen}", ""]


def _facts(said: Description) -> list[str]:
    states = ", ".join(f"{name} ({' x '.join(map(str, shape))})" for name, shape in said.states.items())
    settings = ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in said.settings.items())
    lines = [f"settings    {settings}"] if settings else []
    lines.append(f"state       {states}; output {said.cell.output_size} numbers")
    facts = said.structure
    if isinstance(facts, str):
        arithmetic = f"arithmetic  {said.operations:,} operations a step and row in its products, counted as it ran"
        return [*lines, arithmetic, f"recurrence  {said.recurrence}"]
    before, after = facts.input_products, facts.recurrent_products
    products = f"{before} with the input, done for all steps at once; {after} with the state"
    return [
        *lines,
        f"products    {products}",
        f"arithmetic  {facts.operations:,} operations a step and row (backward about twice as many)",
        f"recurrence  {said.recurrence}",
    ]
