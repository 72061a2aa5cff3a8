"""The page of one cell, in Markdown: all of it read from the class, its file and what was measured."""

from __future__ import annotations

from docs.site.papers import linked
from docs.site.speeds import measured
from ostinato import CATALOGUE, plan
from ostinato.cells.description import Description, Held
from ostinato.cells.equation_cell import EquationCell

INPUT_SIZE = HIDDEN_SIZE = 128
USE = "Use it "
"""A paragraph of a docstring that begins so says when a cell is the right one."""


def page(name: str, pictures: dict[str, str]) -> str:
    """Return the page; `pictures` maps what each shows to the Markdown below that heading."""
    info = CATALOGUE[name]
    cell = info.build(INPUT_SIZE, HIDDEN_SIZE)
    said = Description(cell)
    parts = [
        f"# {name}",
        linked(said.summary),
        f"[{info.family}](index.md) · {linked(info.reference)}",
        *_remarks(said),
    ]
    if said.equations:
        parts += ["## Equations", f"```{{math}}\n{said.latex}\n```", f"```text\n{said.equations}\n```"]
    parts += ["## Parameters", *_parameters(said)]
    parts += ["## Structure", _structure(said)]
    for what, shown in pictures.items():
        parts += [f"## {what}", shown]
    speeds = measured(name, cell)
    if speeds:
        parts += ["## Measured", *speeds]
    return "\n\n".join(parts) + "\n"


def _remarks(said: Description) -> list[str]:
    uses = [remark for remark in said.remarks if remark.startswith(USE)]
    others = [linked(remark) for remark in said.remarks if remark not in uses]
    return [*others, *(["## When to use it", *map(linked, uses)] if uses else [])]


def _parameters(said: Description) -> list[str]:
    rows = [f"| tensor | holds | shape | at D = {INPUT_SIZE}, H = {HIDDEN_SIZE} |", "| :-- | :-- | :-- | --: |"]
    shapes = _in_symbols(said)
    for held in said.held:
        symbols = ", ".join(f"`{symbol}`" for symbol in held.symbols) + (", never trained" if held.is_frozen else "")
        rows.append(f"| `{held.name}` | {symbols.removeprefix(', ')} | {shapes[held.name]} | {held.numbers:,} |")
    frozen = f", and {said.frozen:,} that are never trained" if said.frozen else ""
    total = f"{said.trained:,} parameters{frozen}; D is the input size, H the hidden size."
    return ["\n".join(rows), total] if said.held else [total]


def _in_symbols(said: Description) -> dict[str, str]:
    """Return each tensor's shape in the sizes of the equations, or in numbers where there are none."""
    stacks = said.cell.definition.stacks if isinstance(said.cell, EquationCell) else ()
    known = {stack.name: [size.replace("*", " ") for size in stack.shape] for stack in stacks}

    def shape(held: Held) -> str:
        return " × ".join(known.get(held.name) or map(str, held.shape)) or "1"

    return {held.name: shape(held) for held in said.held}


def _structure(said: Description) -> str:
    states = ", ".join(f"`{name}` ({' × '.join(map(str, shape))})" for name, shape in said.states.items())
    rows = {"states": states, "output": f"{said.cell.output_size} numbers", **_facts(said)}
    rows["engine"] = str(plan(said.cell))
    if said.settings:
        rows["settings"] = ", ".join(f"`{name}={value}`" for name, value in said.settings.items())
    head = f"| | at D = {INPUT_SIZE}, H = {HIDDEN_SIZE} |"
    return "\n".join([head, "| :-- | :-- |", *(f"| {what} | {text} |" for what, text in rows.items())])


def _facts(said: Description) -> dict[str, str]:
    facts, row = said.structure, "operations a step and row"
    if isinstance(facts, str):
        return {row: f"{said.operations:,} in its products", "recurrence": said.recurrence}
    products = f"{facts.input_products} with the input, {facts.recurrent_products} with the state"
    return {"products a step": products, row: f"{facts.operations:,}", "recurrence": said.recurrence}
