"""What the model is made of: the operations of a step of each of its networks, and the network over its first steps."""

from __future__ import annotations

from torch import nn

from ostinato.cells.catalogue import CATALOGUE
from ostinato.cells.cell import Cell
from ostinato.cells.description import Description
from ostinato.cells.wrappers.wrapper import Wrapper
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, called
from ostinato.layers.recurrent import Recurrent
from ostinato.unroll.unfolding import unfolding


def section(subject: Subject) -> Section:
    """Draw each network of the model."""
    found = networks(subject.model)
    return Section(
        "Unfolding",
        "A recurrent network does the same at every step. What is it, and what goes from one step to the next? W @ "
        "multiplies what comes in by the matrix W, σ is the sigmoid, + and × go unit by unit, · stands for what comes "
        "in; the size of a value stands beside its box.",
        tuple(_picture(name, network, len(found) == 1) for name, network in found.items()),
        summary=_summary(found),
        data={"networks": [{"network": name, **_numbers(network)} for name, network in found.items()]},
    )


def networks(model: nn.Module) -> dict[str, Recurrent | Cell]:
    """Return the networks of a model, and cells that it steps itself, by their names."""
    found: dict[str, Recurrent | Cell] = {}
    for name, module in model.named_modules():
        if isinstance(module, Recurrent | Cell) and not any(name.startswith(f"{known}.") for known in found):
            found[name] = module
    return found


def _picture(name: str, network: Recurrent | Cell, is_alone: bool) -> Picture:
    cell, layers, both_ways = _form(network)
    title = _name(cell)
    drawn = unfolding(cell, name=title, layers=layers, both_ways=both_ways)
    said = Description(cell)
    states = " and ".join(f"{state} ({' × '.join(map(str, shape))})" for state, shape in said.states.items())
    stands = _stands(network)
    first = " of the first layer" if layers > 1 else ""
    caption = (
        f"{_said(name, network, is_alone)}. From each step to the next go {states}, along the blue edges. The same "
        f"{said.trained:,} numbers are used at every step{first}."
    )
    if said.definition is None:
        caption += " Its step is not written as equations, so only the steps are drawn."
    alt = f"Computational graph of {name}, {stands}, and its first three steps"
    return Picture(f"unfolding-{name.replace('.', '-')}", drawn, None, alt, caption, is_wide=True)


def _stands(network: Recurrent | Cell) -> str:
    cell, layers, both_ways = _form(network)
    ways = (", each in both directions" if layers > 1 else ", in both directions") if both_ways else ""
    return f"{layers} layers of {_name(cell)}{ways}" if layers > 1 else f"one layer of {_name(cell)}{ways}"


def _summary(found: dict[str, Recurrent | Cell]) -> str:
    return " ".join(f"{_said(name, network, len(found) == 1)}." for name, network in found.items())


def _said(name: str, network: Recurrent | Cell, is_alone: bool) -> str:
    return begun(_stands(network) if is_alone else f"{called(name)}: {_stands(network)}")


def _numbers(network: Recurrent | Cell) -> dict[str, object]:
    cell, layers, both_ways = _form(network)
    said = Description(cell)
    states = {state: list(shape) for state, shape in said.states.items()}
    return {"cell": _name(cell), "layers": layers, "both_ways": both_ways, "input": cell.input_size,
            "output": cell.output_size, "states": states, "equations": said.equations or None}  # fmt: skip


def _form(network: Recurrent | Cell) -> tuple[Cell, int, bool]:
    """Return a network's first cell, its layers, and whether each reads in both directions."""
    if isinstance(network, Cell):
        return network, 1, False
    return network.layers[0][0], network.num_layers, network.bidirectional  # type: ignore[index,return-value]


def _name(cell: Cell) -> str:
    """Return the name in the catalogue of the cell inside its wrappers, or that of its class."""
    while isinstance(cell, Wrapper):
        cell = cell.inner
    return next((name for name, info in CATALOGUE.items() if info.kind is type(cell)), type(cell).__name__)
