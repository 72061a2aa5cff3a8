"""What the model is made of: the operations of a step of each of its cells, and its layers over their first steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from torch import nn

from ostinato.cells.catalogue import CATALOGUE
from ostinato.cells.cell import Cell
from ostinato.cells.description import Description
from ostinato.cells.wrappers.wrapper import Wrapper
from ostinato.inspection.section import Picture, Section
from ostinato.inspection.subject import Subject
from ostinato.inspection.words import begun, called, listed
from ostinato.layers.recurrent import Recurrent
from ostinato.unroll.unfolding import unfolding


class Layers(NamedTuple):
    """Layers of one network that follow each other, whose cells are drawn alike."""

    network: str
    """Where it stands in the model, as `named_modules` names it."""
    first: int
    """Of them, from 0."""
    whole: int
    """Layers of the network."""
    both_ways: bool
    cells: list[Cell]
    """Of each of them, one: alike but for the size of what they read."""
    step: str
    """The drawing of the first cell alone, which equal cells share."""

    @property
    def count(self) -> int:
        return len(self.cells)

    @property
    def cell(self) -> Cell:
        """That of the first, which is drawn."""
        return self.cells[0]


def section(subject: Subject) -> Section:
    """Draw each cell of the model once, however many layers have it, with these layers over their first steps."""
    found = networks(subject.model)
    drawn = [layers for name, network in found.items() for layers in _drawn_alike(name, network)]
    alike = {each.step: [other for other in drawn if other.step == each.step] for each in drawn}
    return Section(
        "Unfolding",
        "A recurrent network does the same at every step. What is it, and what goes from one step to the next? W @ "
        "multiplies what comes in by the matrix W, σ is the sigmoid, + and × go unit by unit, · stands for what comes "
        "in; the size of a value stands beside its box.",
        tuple(_picture(group, len(found)) for group in alike.values()),
        summary=_summary(found),
        data={"networks": [_numbers(each) for each in drawn]},
    )


def networks(model: nn.Module) -> dict[str, Recurrent | Cell]:
    """Return the networks of a model, and cells that it steps itself, by their names."""
    found: dict[str, Recurrent | Cell] = {}
    for name, module in model.named_modules():
        if isinstance(module, Recurrent | Cell) and not any(name.startswith(f"{known}.") for known in found):
            found[name] = module
    return found


def _drawn_alike(name: str, network: Recurrent | Cell) -> Iterator[Layers]:
    """Yield the layers of a network, those together that follow each other and differ in what they read alone."""
    cells: list[Cell] = [network] if isinstance(network, Cell) else [layer[0] for layer in network.layers]  # type: ignore[index]
    both_ways = isinstance(network, Recurrent) and network.bidirectional
    first = 0
    for _, group in groupby(cells, _form):
        alike = list(group)
        step = unfolding(alike[0], name=_name(alike[0]))
        yield Layers(name, first, len(cells), both_ways, alike, step)
        first += len(alike)


def _form(cell: Cell) -> tuple[object, ...]:
    """Return what a cell is, whatever the size of its input."""
    said = Description(cell)
    return _name(cell), said.equations, tuple(said.states.items()), cell.output_size


def _picture(group: Sequence[Layers], networks: int) -> Picture:
    """Draw layers of equal cells, once; `networks` is how many the model has."""
    shown = group[0]
    said, name = Description(shown.cell), _name(shown.cell)
    drawn = unfolding(shown.cell, name=name, layers=shown.count, both_ways=shown.both_ways)
    states = listed(f"{state} ({' × '.join(map(str, shape))})" for state, shape in said.states.items())
    forms = [_layers(name, layers.count, layers.both_ways) for layers in group]
    places = [_where(layers, networks > 1) for layers in group]
    stands = "; ".join(f"{where}: {form}" if where else form for where, form in zip(places, forms, strict=True))
    several = len(group) > 1 or shown.count > 1 or shown.both_ways
    numbers = f"same {said.trained:,} numbers are" if said.trained else "same numbers, which are never learned, are"
    caption = (
        f"{begun(stands)}. From each step to the next go {states}, along the blue edges. The {numbers} used at every "
        f"step{', by each layer and direction its own' if several else ''}{_above(shown)}."
    )
    if len(set(forms)) > 1:
        caption += f" Its first three steps are drawn as of the {called(shown.network)}."
    if said.definition is None:
        caption += " Its step is not written as equations, so only the steps are drawn."
    alt = f"Computational graph of {stands}, and its first three steps"
    return Picture(_stem(shown), drawn, None, alt, caption, is_wide=True)


def _above(layers: Layers) -> str:
    """Return how many numbers the layers above the first have, where they are others."""
    first, *others = [Description(cell).trained for cell in layers.cells]
    return "" if all(own == first for own in others) else f", {others[0]:,} above the first"


def _where(layers: Layers, is_named: bool) -> str:
    """Return which layers they are, and of which network where that is to be named; "" for all there are."""
    name = called(layers.network) if is_named else ""
    if layers.count == layers.whole:
        return name
    last = layers.first + layers.count
    which = f"layer {last}" if layers.count == 1 else f"layers {layers.first + 1} to {last}"
    return f"{which} of the {name}" if name else which


def _stem(layers: Layers) -> str:
    number = [] if layers.count == layers.whole else [str(layers.first + 1)]
    return "-".join(["unfolding", *filter(None, [layers.network.replace(".", "-")]), *number])


def _stands(network: Recurrent | Cell) -> str:
    if isinstance(network, Cell):
        return _layers(_name(network), 1, False)
    return _layers(_name(network.layers[0][0]), network.num_layers, network.bidirectional)  # type: ignore[index,arg-type]


def _layers(cell: str, count: int, both_ways: bool) -> str:
    ways = (", each in both directions" if count > 1 else ", in both directions") if both_ways else ""
    return f"{count} layers of {cell}{ways}" if count > 1 else f"one layer of {cell}{ways}"


def _summary(found: dict[str, Recurrent | Cell]) -> str:
    return " ".join(f"{_said(name, network, len(found) == 1)}." for name, network in found.items())


def _said(name: str, network: Recurrent | Cell, is_alone: bool) -> str:
    return begun(_stands(network) if is_alone else f"{called(name)}: {_stands(network)}")


def _numbers(layers: Layers) -> dict[str, object]:
    cell, said = layers.cell, Description(layers.cell)
    states = {state: list(shape) for state, shape in said.states.items()}
    return {"network": layers.network, "first": layers.first, "layers": layers.count, "both_ways": layers.both_ways,
            "cell": _name(cell), "input": cell.input_size, "output": cell.output_size, "states": states,
            "equations": said.equations or None}  # fmt: skip


def _name(cell: Cell) -> str:
    """Return the name in the catalogue of the cell inside its wrappers, or that of its class."""
    while isinstance(cell, Wrapper):
        cell = cell.inner
    return next((name for name, info in CATALOGUE.items() if info.kind is type(cell)), type(cell).__name__)
