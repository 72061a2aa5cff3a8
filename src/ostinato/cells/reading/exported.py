"""The graph of a step, as `torch.export` gives it, written as a `Program`: what each ATen operation is in our grammar.

What depends on the cell's own tensors alone (a turned weight, its blocks, `softplus(tau)`, a weight norm) is left to
torch, once a call, and is a parameter of the program. Everything else must keep the rows of a batch apart.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import Any, NoReturn

import torch
from torch import Tensor, fx
from torch.export.graph_signature import InputKind, OutputKind

from ostinato.cells.reading.axes import Axes
from ostinato.cells.reading.given import GivenGraph, Step
from ostinato.cells.reading.nodes import (
    FORMULAS,
    NUMBERS,
    arguments,
    formula_of,
    is_one,
    is_random,
    is_size,
    literal,
    name_of,
    needed,
    origin,
    reached,
    row_size,
    value_of,
)
from ostinato.cells.reading.rows import Row, RowBuilder, Unreadable, repeated
from ostinato.cells.reading.step import Reading
from ostinato.cells.reading.tracing import Traced
from ostinato.equations.program import Input

_LOOKS = (
    "_unsafe_view", "alias", "clone", "contiguous", "flatten.using_ints", "permute", "reshape",
    "squeeze", "squeeze.dim", "squeeze.dims", "unsqueeze", "view",
)  # fmt: skip
"""Operations that change neither the numbers of a row nor their order, where the axes allow it."""
_SELECTIONS = (
    "chunk", "narrow", "select.int", "slice.Tensor", "split.Tensor", "split_with_sizes", "unbind.int",
)  # fmt: skip

_THE_SAME = "its output or a state is the same at every step"


def is_known(target: object) -> bool:
    """Return whether an operation is read as it stands; torch takes the others apart first."""
    return name_of(target) in _READERS


def write(traced: Traced) -> Reading:
    """Return the step as a program; Unreadable where an operation has no counterpart."""
    return _Writer(traced).reading()


class _Writer:
    """Goes through a graph once: a node that is the same for all rows goes to `given`, any other has its row."""

    def __init__(self, traced: Traced):
        graph, signature = traced.exported.graph, traced.exported.graph_signature
        nodes = {node.name: node for node in graph.nodes}
        for spec in signature.output_specs:
            if spec.kind is not OutputKind.USER_OUTPUT:
                raise Unreadable(f"its step writes to {str(spec.target).removeprefix('cell.')}")
        self.structure = traced.step.structure
        self.inputs = [nodes[s.arg.name] for s in signature.input_specs if s.kind is InputKind.USER_INPUT]
        self.outputs = [nodes[s.arg.name] for s in signature.output_specs]
        self.axes = Axes(self.inputs[0])
        self.dtype = value_of(self.inputs[0]).dtype
        self.nodes = [node for node in needed(graph, self.outputs) if node.op == "call_function"]
        self.varying = reached(graph, self.inputs)
        self.bounds = self._bounds()
        self.cuts = tuple(self._leaf_cuts(node) for node in self.outputs[1:])
        self.rows: dict[fx.Node, Any] = {}
        self.builder = RowBuilder(self._program_inputs(traced.leaves))
        taken = {"x", "dt", *(i.name for i in self.builder.inputs)}
        self.given = GivenGraph({nodes[name]: source for name, source in traced.sources.items()}, taken)

    def reading(self) -> Reading:
        for node in self.nodes:
            self._read(node)
        outputs = [("y", self._result(self._row(self.outputs[0])))]
        states = iter([i.name for i in self.builder.inputs if i.role == "state"])
        for node, cuts in zip(self.outputs[1:], self.cuts, strict=True):
            for start, stop in pairwise([0, *accumulate(cuts)]):
                part = self.builder.part(self._row(node), start, stop)
                outputs.append((f"{next(states)}'", self._result(part)))
        program = self.builder.program(tuple(outputs))
        given = self.given.finish(tuple(p.name for p in program.parameters))
        return Reading(program, self.structure, self.cuts, given)

    def _program_inputs(self, leaves: dict[str, int]) -> tuple[Input, ...]:
        x, *rest = self.inputs
        self.rows[x] = repeated("x", row_size(x))
        inputs = [Input("x", "input", (str(row_size(x)),))]
        for node in rest[len(leaves) :]:
            self.rows[node] = repeated("dt", 1)
            inputs.append(Input("dt", "time", ()))
        for (leaf, size), node, cuts in zip(leaves.items(), rest, self.cuts, strict=False):
            if sum(cuts) != size:
                raise Unreadable(f"its state {leaf} comes back with {sum(cuts)} numbers, not {size}")
            names = [leaf] if len(cuts) == 1 else [f"{leaf}_{k}" for k in range(len(cuts))]
            self.rows[node] = Row(tuple(zip(names, cuts, strict=True)))
            inputs += [Input(name, "state", (str(part),)) for name, part in zip(names, cuts, strict=True)]
        return tuple(inputs)

    # before any node is read

    def _leaf_cuts(self, node: fx.Node) -> tuple[int, ...]:
        """Return the sizes of the vectors that a next state joins: a leaf that holds h beside c is two states."""
        if node.op == "call_function" and name_of(node.target) == "cat":
            return tuple(size for part in arguments(node)["tensors"] for size in self._leaf_cuts(part) if size)
        return (row_size(node),)

    def _bounds(self) -> dict[fx.Node, set[int]]:
        """Return, for each node, where its row is cut later on."""
        found: dict[fx.Node, set[int]] = {node: set() for node in self.varying}
        for node in [n for n in reversed(self.nodes) if n in self.varying]:
            name = name_of(node.target)
            if name in _SELECTIONS:
                found[node.all_input_nodes[0]].update(bound for span in self.axes.spans(node) for bound in span)
            elif name in FORMULAS or name in _LOOKS:
                sources = [n for n in node.all_input_nodes if n in found and not is_size(n)]
                for source in [n for n in sources if row_size(n) == row_size(node)]:
                    found[source] |= found[node]
        return found

    # one node

    def _read(self, node: fx.Node) -> None:
        name, value = name_of(node.target), node.meta.get("val")
        if is_random(node):
            raise Unreadable(f"its step draws random numbers ({origin(node)})")
        if node not in self.varying:
            self.given.add(node, keeps_title=name in _LOOKS)
            return
        if isinstance(value, torch.SymInt) and (name == "sym_size.int" or all(map(is_size, node.all_input_nodes))):
            return
        if name not in _READERS:
            raise Unreadable(f"its step uses {origin(node)}, which the functions table does not know")
        self.rows[node] = _READERS[name](self, node)
        if isinstance(value, Tensor) and name not in NUMBERS and value.dtype not in (self.dtype, torch.bool):
            raise Unreadable(f"its step changes the type of numbers to {value.dtype}")

    def elementwise(self, node: fx.Node) -> Row:
        formula, args = formula_of(node)
        inner = self.axes.inner(node)
        operands = [self._operand(arg, inner, node, formula == "where" and k == 0) for k, arg in enumerate(args)]
        return self.builder.combined(formula, *operands)

    def look(self, node: fx.Node) -> Row:
        source = node.all_input_nodes[0]
        row, order = self._row(source), list(range(value_of(source).dim()))
        if name_of(node.target) == "permute":
            order = [axis % len(order) for axis in arguments(node)["dims"]]
        moved = [axis for axis in order if not is_one(value_of(source).shape[axis])]
        if moved != sorted(moved) or math.prod(self.axes.inner(node)) != row.size:
            self.axes.refuse(node)
        return row

    def spread(self, node: fx.Node) -> Row:
        return self._operand(arguments(node)["self"], self.axes.inner(node), node, keeps_bool=True)

    def dropped(self, node: fx.Node) -> Row:
        return self._row(node.all_input_nodes[0])  # in training it draws random numbers, which `_read` refuses

    def converted(self, node: fx.Node) -> Row:
        return self._operand(arguments(node)["self"], self.axes.inner(node), node)

    def one_number(self, node: fx.Node) -> Row:
        return repeated(float(literal(node)), math.prod(self.axes.inner(node)))  # type: ignore[arg-type]

    def detached(self, node: fx.Node) -> NoReturn:
        raise Unreadable(f"its step stops the gradient ({origin(node)})")

    def selection(self, node: fx.Node) -> Row | list[Row]:
        row = self._row(node.all_input_nodes[0])
        parts = [self.builder.part(row, *span) for span in self.axes.spans(node)]
        return parts if isinstance(node.meta["val"], list | tuple) else parts[0]

    def item(self, node: fx.Node) -> Row:
        return self.rows[node.all_input_nodes[0]][node.args[1]]

    def joined(self, node: fx.Node) -> Row:
        given = arguments(node)
        self.axes.inner(node)
        if len(given["tensors"]) > 1 and not self.axes.leads(node, given["dim"]):
            self.axes.refuse(node)
        return Row(tuple(piece for n in given["tensors"] if row_size(n) for piece in self._row(n).pieces))

    def linear(self, node: fx.Node) -> Row:
        given = arguments(node)
        return self._product(node, given["input"], given["weight"], (), given["bias"])

    def matmul(self, node: fx.Node) -> Row:
        left, right = list(arguments(node).values())[:2]
        if value_of(right).dim() != 1:
            return self._product(node, left, right, (("t",),))
        self.axes.check_whole(node, left, [-1])
        inner = tuple(value_of(left).shape[-1:])
        return repeated(
            self.builder.sum(self.builder.combined("mul", self._row(left), self._operand(right, inner, node))), 1
        )

    def batched_matmul(self, node: fx.Node) -> Row:
        given = arguments(node)
        if given["mat2"] not in self.varying and not is_one(value_of(given["mat2"]).shape[0]):
            self.axes.refuse(node)
        return self._product(node, given["self"], given["mat2"], (("squeeze", 0), ("t",)))

    def matmul_added(self, node: fx.Node) -> Row:
        given = arguments(node)
        if (given["alpha"], given["beta"]) != (1, 1):
            raise Unreadable(f"its step uses {origin(node)} with factors")
        return self._product(node, given["mat1"], given["mat2"], (("t",),), given["self"])

    def softmax(self, node: fx.Node) -> Row:
        given = arguments(node)
        self.axes.check_whole(node, given["self"], [given["dim"]])
        row = self._row(given["self"])
        return repeated(self.builder.emit("softmax", (self.builder.vector(row),)), row.size)

    def normalised(self, node: fx.Node) -> Row:
        given = arguments(node)
        source, inner = given["input"], self.axes.inner(node)
        self.axes.check_whole(node, source, [-1 - k for k in range(len(given["normalized_shape"]))])
        epsilon = torch.finfo(self.dtype).eps if given["eps"] is None else given["eps"]
        row = self.builder.normalised(name_of(node.target), self._row(source), self.bounds[node], epsilon)
        for fn, scale in (("mul", given["weight"]), ("add", given.get("bias"))):
            if scale is not None:
                row = self.builder.combined(fn, row, self._operand(scale, inner, node))
        return row

    def reduced(self, node: fx.Node) -> Row:
        given = arguments(node)
        self.axes.check_whole(node, given["self"], given["dim"])
        row = self._row(given["self"])
        if name_of(node.target) == "sum.dim_IntList":
            return repeated(self.builder.sum(row), 1)
        if name_of(node.target) == "mean.dim":
            return repeated(self.builder.mean(row), 1)
        apart = self.builder.centred(row)
        freedom = row.size - (1.0 if given["correction"] is None else float(given["correction"]))
        return repeated(
            self.builder.emit("div", (self.builder.sum(self.builder.combined("mul", apart, apart)), freedom)), 1
        )

    def _product(
        self, node: fx.Node, left: fx.Node, weight: fx.Node, steps: tuple[Step, ...], bias: fx.Node | None = None
    ) -> Row:
        """Return weight @ left + bias; the weight of vectors that stand side by side is taken in blocks of columns."""
        if weight in self.varying or left not in self.varying:
            raise Unreadable(f"its step multiplies two values of a row as matrices ({origin(node)})")
        self.axes.check_whole(node, left, [-1])
        row, inner = self._row(left), self.axes.inner(node)
        addend = None if bias is None else self._operand(bias, inner, node)
        terms = []
        for (value, size), start in zip(row.pieces, row.bounds, strict=False):
            block = steps if size == row.size else (*steps, ("narrow", 1, start, size))
            suffix = "" if size == row.size else f"_{start}" if str(value).startswith("%") else f"_{value}"
            if not self.builder.shape(value):
                column = self._parameter(weight, (*block, ("sum", 1)), suffix)
                terms.append(self.builder.emit("mul", (column, value)))
            elif addend is not None and self._is_bias(addend):
                terms.append(
                    self.builder.emit("affine", (self._parameter(weight, block, suffix), value, addend.pieces[0][0]))
                )
                addend = None
            else:
                terms.append(self.builder.emit("matmul", (self._parameter(weight, block, suffix), value)))
        product = repeated(self.builder.added(terms), math.prod(inner))
        return product if addend is None else self.builder.combined("add", product, addend)

    def _is_bias(self, row: Row) -> bool:
        return (
            len(row.pieces) == 1
            and row.pieces[0][0] in self.given.results
            and bool(self.builder.shape(row.pieces[0][0]))
        )

    # values

    def _result(self, row: Row) -> str:
        vector = self.builder.vector(row)
        if vector not in self.builder.varying():
            raise Unreadable(_THE_SAME)
        return vector

    def _row(self, node: fx.Node) -> Row:
        if node not in self.varying:
            raise Unreadable(_THE_SAME)
        self.axes.inner(node)
        return self.rows[node]

    def _operand(
        self, arg: Any, inner: tuple[int, ...], node: fx.Node, is_condition: bool = False, keeps_bool: bool = False
    ) -> Row:
        """Return an argument as it meets others in a result of shape (B, *inner)."""
        size = math.prod(inner)
        if not isinstance(arg, fx.Node):
            return repeated(float(arg), size)
        if arg not in self.varying:
            value = self._shared(arg, inner, node)
            is_mask = value_of(arg).dtype is torch.bool and (is_condition or keeps_bool)
            return repeated(self.builder.emit("gt", (value, 0.5)) if is_mask else value, size)
        if is_size(arg):
            raise Unreadable(f"its step computes with the number of rows ({origin(node)})")
        row = self._row(arg)
        if value_of(arg).dtype is torch.bool and not is_condition and not keeps_bool:
            row = self.builder.combined("where(a, 1, 0)", row)
        if row.size not in (1, size) or len(self.axes.inner(arg)) != len(inner):
            self.axes.refuse(node)
        return row if row.size == size else repeated(self.builder.number(row), size)

    def _shared(self, node: fx.Node, inner: tuple[int, ...], user: fx.Node) -> str | float:
        """Return what is the same for all rows: a number, or a parameter that is one or is as long as a row."""
        number = literal(node)
        if number is not None:
            return number
        shape, size = tuple(value_of(node).shape), math.prod(inner)
        steps: tuple[Step, ...] = () if value_of(node).dtype is self.dtype else (("to", self.dtype),)
        if math.prod(shape) == 1:
            return self._parameter(node, (*steps, ("reshape", ())) if shape else steps)
        row = (*(1 for _ in inner), *shape)[-len(inner) :] if inner else ()
        if math.prod(row) != math.prod(shape) or any(n not in (1, m) for n, m in zip(row, inner, strict=True)):
            self.axes.refuse(user)
        if row != inner:
            steps += (("reshape", row), ("expand", inner))
        return self._parameter(node, (*steps, ("reshape", (size,))) if shape != (size,) else steps)

    def _parameter(self, node: fx.Node, steps: tuple[Step, ...], suffix: str = "") -> str:
        name = self.given.name(node, steps, suffix)
        if name not in self.builder.shapes:
            like = torch.empty(value_of(node).shape, device="meta")
            for method, *args in steps:
                like = getattr(like, method)(*args)
            self.builder.take(Input(name, "parameter", tuple(map(str, like.shape))))
        return name


_READERS = {
    **dict.fromkeys(FORMULAS, _Writer.elementwise),
    **dict.fromkeys(_LOOKS, _Writer.look),
    **dict.fromkeys(_SELECTIONS, _Writer.selection),
    **dict.fromkeys(NUMBERS, _Writer.one_number),
    **dict.fromkeys(("expand", "repeat"), _Writer.spread),
    **dict.fromkeys(("layer_norm", "rms_norm"), _Writer.normalised),
    **dict.fromkeys(("sum.dim_IntList", "mean.dim", "var.correction"), _Writer.reduced),
    "_to_copy": _Writer.converted,
    "addmm": _Writer.matmul_added,
    "bmm": _Writer.batched_matmul,
    "cat": _Writer.joined,
    "detach": _Writer.detached,
    "dropout": _Writer.dropped,
    "getitem": _Writer.item,
    "linear": _Writer.linear,
    "matmul": _Writer.matmul,
    "mm": _Writer.matmul,
    "mv": _Writer.matmul,
    "softmax.int": _Writer.softmax,
}
