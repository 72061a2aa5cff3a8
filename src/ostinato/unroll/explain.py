"""`explain`: a cell in words and numbers, all of it derived from its equations."""

from __future__ import annotations

import inspect
import textwrap

from ostinato.cells.catalogue import CATALOGUE, build_cell
from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.equation_cell import EquationCell, text_of
from ostinato.cells.reading import read_step, why_unreadable
from ostinato.equations.latex import latex
from ostinato.equations.structure import Structure, structure
from ostinato.unroll import plan
from ostinato.unroll.native.compiled import Compiled, compiled
from ostinato.unroll.native.printer import HEADERS


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
    lines = [_title(cell, built), ""]
    if isinstance(built, EquationCell):
        lines += _equations(built, with_latex)
    lines += _parameters(built)
    if isinstance(built, EquationCell):
        lines += _facts(built)
    known = _compiled(built)
    lines += _memory(known)
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


def _title(cell: object, built: Cell) -> str:
    info = CATALOGUE.get(cell) if isinstance(cell, str) else None
    if info is None:
        return type(built).__name__
    return f"{info.name}: {info.summary}\n{info.reference}"


def _equations(cell: EquationCell, with_latex: bool) -> list[str]:
    text = inspect.cleandoc(text_of(type(cell), **cell.counts))
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
