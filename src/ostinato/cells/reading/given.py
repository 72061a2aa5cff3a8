"""What a program is given besides inputs and states: tensors that torch makes from a cell's own, once a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from torch import Tensor, fx, nn

Step = tuple[Any, ...]
"""A method of a tensor and its arguments: ("narrow", 1, 0, 4)."""


@dataclass(frozen=True)
class Given:
    """The tensors of a program's parameters, found anew at each call, so that training sees current values."""

    names: tuple[str, ...]
    """Of the program's parameters."""
    sources: tuple[str | Tensor, ...]
    """What they are made of: qualified names in the cell, or constants of its step."""
    make: Callable[..., tuple[Tensor, ...]]

    def __call__(self, cell: nn.Module) -> dict[str, Tensor]:
        """Return the tensor of each parameter; gradients flow through it to the cell's own."""
        own = [attrgetter(source)(cell) if isinstance(source, str) else source for source in self.sources]
        return dict(zip(self.names, self.make(*own), strict=True))


class GivenGraph:
    """Collects the part of a step's graph that reads the cell's own tensors alone."""

    def __init__(self, sources: Mapping[fx.Node, str | Tensor], taken: Iterable[str]):
        self.sources, self.taken = sources, set(taken)
        self.graph = fx.Graph()
        self.copies = {node: self.graph.placeholder(node.name) for node in sources}
        self.titles = {n: source.replace(".", "_") for n, source in sources.items() if isinstance(source, str)}
        self.results: dict[str, fx.Node] = {}
        self.names: dict[tuple[fx.Node, tuple[Step, ...]], str] = {}

    def add(self, node: fx.Node, *, keeps_title: bool) -> None:
        """Take over a node whose arguments are here; with `keeps_title` it is called as what it looks at."""
        self.copies[node] = self.graph.node_copy(node, self.copies.__getitem__)
        if keeps_title:
            self.titles[node] = self._title(node.all_input_nodes[0])

    def name(self, node: fx.Node, steps: tuple[Step, ...], suffix: str = "") -> str:
        """Return the name of the parameter that holds a node after further steps."""
        if (node, steps) not in self.names:
            result = self.copies[node]
            for method, *args in steps:
                result = self.graph.call_method(method, (result, *args))
            name = self.names[node, steps] = self._free(self._title(node) + suffix)
            self.results[name] = result
        return self.names[node, steps]

    def finish(self, names: tuple[str, ...]) -> Given:
        """Return what makes the tensors of these parameters."""
        self.graph.output(tuple(self.results[name] for name in names))
        self.graph.eliminate_dead_code()
        read = [node for node in self.sources if self.copies[node].users]
        for node in self.sources.keys() - set(read):
            self.graph.erase_node(self.copies[node])
        return Given(names, tuple(self.sources[n] for n in read), fx.GraphModule(nn.Module(), self.graph).forward)

    def _title(self, node: fx.Node) -> str:
        return self.titles.get(node, node.name)

    def _free(self, title: str) -> str:
        name = title
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name
