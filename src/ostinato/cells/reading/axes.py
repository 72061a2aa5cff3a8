"""Which axes of a tensor are the batch's and which a row's: rows must stay apart, and be taken as one vector each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

from torch import Tensor, fx

from ostinato.cells.reading.nodes import arguments, axis_spans, is_one, origin, row_size, value_of
from ostinato.cells.reading.rows import Unreadable


class Axes:
    """The axes of the values of one graph, whose number of rows is that of `x`."""

    def __init__(self, x: fx.Node):
        self.batch = symbol(value_of(x).shape[0])

    def inner(self, node: fx.Node) -> tuple[int, ...]:
        """Return the axes of a row, those after the batch's; Unreadable where rows do not stand one by one."""
        shape = value_of(node).shape
        before = [axis for axis, size in enumerate(shape) if not is_one(size)][:1]
        if not before or symbol(shape[before[0]]) != self.batch:
            raise Unreadable(f"its step mixes or moves the rows of a batch ({origin(node)})")
        inner = tuple(shape[before[0] + 1 :])
        if not all(isinstance(size, int) for size in inner):
            raise Unreadable(f"its step mixes or moves the rows of a batch ({origin(node)})")
        return inner

    def leads(self, node: fx.Node, axis: int) -> bool:
        """Return whether an axis is the first of a row's that is not 1, so that a part of it is a part of the row."""
        shape, inner = value_of(node).shape, self.inner(node)
        place = axis % len(shape) - (len(shape) - len(inner))
        return place >= 0 and all(is_one(size) for size in inner[:place])

    def check_whole(self, node: fx.Node, source: fx.Node, axes: Sequence[int] | None) -> None:
        """Refuse a sum, a norm or a product over axes that are not all of a row's and nothing else."""
        shape, inner = value_of(source).shape, self.inner(source)
        chosen = {axis % len(shape) for axis in axes or range(len(shape))}
        batch = len(shape) - len(inner) - 1
        if batch in chosen:
            raise Unreadable(f"its step mixes or moves the rows of a batch ({origin(node)})")
        if not all(is_one(size) or axis in chosen for axis, size in enumerate(shape) if axis > batch):
            self.refuse(node)

    def spans(self, node: fx.Node) -> list[tuple[int, int]]:
        """Return, of operations that take parts along an axis, (start, end) of each part within a row."""
        source, given = node.all_input_nodes[0], arguments(node)
        shape = value_of(source).shape
        axis = given["dim"] % len(shape)
        size = shape[axis]
        if not isinstance(size, int):
            result = node.meta["val"]
            if isinstance(result, Tensor) and result.dim() == len(shape):
                self.inner(node)  # all rows
                return [(0, row_size(source))]
            raise Unreadable(f"its step mixes or moves the rows of a batch ({origin(node)})")
        spans = axis_spans(node, size)
        if spans == [(0, size)]:
            return [(0, row_size(source))]
        if not self.leads(source, axis):
            self.refuse(node)
        block = math.prod(shape[axis + 1 :])
        return [(start * block, stop * block) for start, stop in spans]

    def refuse(self, node: fx.Node) -> NoReturn:
        raise Unreadable(f"its step does more with a row than take it as one vector ({origin(node)})")


def symbol(size: Any) -> object:
    """Return what a size is made of: a number, or an expression over the number of rows."""
    return size if isinstance(size, int) else size.node.expr
