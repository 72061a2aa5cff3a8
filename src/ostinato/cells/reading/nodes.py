"""The nodes of a traced graph: what an operation is called, what it is given, and how large a row of its result is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, fx

from ostinato.cells.reading.rows import Unreadable

FORMULAS = {
    "add.Tensor": "add", "sub.Tensor": "sub", "mul.Tensor": "mul", "div.Tensor": "div", "neg": "neg",
    "rsub.Scalar": "b - a", "square": "a * a",
    "pow.Tensor_Scalar": "pow", "reciprocal": "1 / a", "sqrt": "sqrt", "rsqrt": "1 / sqrt(a)",
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "abs": "abs", "sign": "sign",
    "sigmoid": "sigmoid", "log_sigmoid": "-softplus(-a)", "tanh": "tanh", "relu": "relu", "silu": "silu",
    "hardsigmoid": "hard_sigmoid", "maximum": "maximum", "minimum": "minimum", "where.self": "where",
    "gt.Tensor": "gt", "ge.Tensor": "ge", "lt.Tensor": "lt", "le.Tensor": "le",
    "gt.Scalar": "gt", "ge.Scalar": "ge", "lt.Scalar": "lt", "le.Scalar": "le",
    "ostinato.clip_gradient": "clip_gradient",
    # as their options say, see formula_of
    "clamp": "", "elu": "", "hardtanh": "", "leaky_relu": "", "softplus": "",
}  # fmt: skip
"""A function of the table, or an expression over the operation's arguments a, b and c."""
NUMBERS = {"full": "fill_value", "full_like": "fill_value", "scalar_tensor": "s"}
"""Operations that give one number everywhere, and the argument that says which."""


def formula_of(node: fx.Node) -> tuple[str, list[Any]]:
    """Return the formula of an operation on single numbers, and its arguments."""
    name, given = name_of(node.target), arguments(node)
    match name:
        case "add.Tensor" | "sub.Tensor" | "rsub.Scalar" if given["alpha"] != 1:
            text = {"add.Tensor": "a + c * b", "sub.Tensor": "a - c * b"}.get(name, "b - c * a")
            return text, [given["self"], given["other"], given["alpha"]]
        case "clamp":
            low, high = given["min"], given["max"]
            if high is None:
                return "where(a < b, b, a)", [given["self"], low]
            if low is None:
                return "where(a > b, b, a)", [given["self"], high]
            return "where(a < b, b, where(a > c, c, a))", [given["self"], low, high]
        case "hardtanh" if (given["min_val"], given["max_val"]) == (-1, 1):
            return "hard_tanh", [given["self"]]
        case "hardtanh":
            return "where(a <= b, b, where(a >= c, c, a))", [given["self"], given["min_val"], given["max_val"]]
        case "leaky_relu":
            return "where(a > 0, a, b * a)", [given["self"], given["negative_slope"]]
        case "elu" if (given["alpha"], given["scale"], given["input_scale"]) == (1, 1, 1):
            return "elu", [given["self"]]
        case "elu" if given["input_scale"] == 1:
            return "b * where(a > 0, a, c * elu(a))", [given["self"], given["scale"], given["alpha"]]
        case "softplus" if given["threshold"] >= 20 and given["beta"] == 1:
            return "softplus", [given["self"]]
        case "softplus" if given["threshold"] >= 20:
            return "softplus(b * a) / b", [given["self"], given["beta"]]
        case "elu" | "softplus":
            raise Unreadable(f"its step uses {origin(node)} with options that the functions table does not know")
    return FORMULAS[name], list(node.args)


def axis_spans(node: fx.Node, size: int) -> list[tuple[int, int]]:
    """Return the parts that an operation takes along an axis of this size."""
    given = arguments(node)
    match name_of(node.target):
        case "select.int":
            start = given["index"] % size
            return [(start, start + 1)]
        case "unbind.int":
            return list(pairwise(range(size + 1)))
        case "narrow":
            start = given["start"] % size
            return [(start, start + given["length"])]
        case "chunk":
            length = -(-size // given["chunks"])
            return [(start, min(start + length, size)) for start in range(0, size, length)]
        case "split.Tensor":
            return [(start, min(start + given["split_size"], size)) for start in range(0, size, given["split_size"])]
        case "split_with_sizes":
            return list(pairwise([0, *accumulate(given["split_sizes"])]))
    start, stop, step = slice(given["start"], given["end"], given["step"]).indices(size)
    if step != 1:
        raise Unreadable("its step takes every second number, or fewer, of a row")
    return [(start, stop)]


def name_of(target: Any) -> str:
    """Return what an operation is called: aten.add.Tensor is "add.Tensor", aten.exp.default is "exp"."""
    if not isinstance(target, torch._ops.OpOverload):
        return getattr(target, "__name__", str(target))
    return str(target).removeprefix("aten.").removesuffix(".default")


def origin(node: fx.Node) -> str:
    """Return the operation that the step itself names, before torch took it apart."""
    source = next(iter(node.meta.get("from_node") or ()), None)
    text = str(getattr(source, "target", "") or node.target)
    return ".".join(text.split(".")[:2]) if text.startswith("aten.") else name_of(node.target)


def arguments(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of an operation by name, those left out with the values they have then."""
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    left_out = {a.name: a.default_value for a in node.target._schema.arguments if a.has_default_value()}  # type: ignore[union-attr]
    return {**left_out, **dict(zip(names, node.args, strict=False)), **node.kwargs}


def value_of(node: fx.Node) -> Tensor:
    """Return the tensor that stands for what a node gives: its shape, its type."""
    return node.meta["val"]


def row_size(node: fx.Node) -> int:
    """Return how many numbers a row holds."""
    return math.prod(size for size in value_of(node).shape if isinstance(size, int))


def is_one(size: Any) -> bool:
    """Return whether the size of an axis is 1, and not the number of rows."""
    return isinstance(size, int) and size == 1


def is_size(node: fx.Node) -> bool:
    """Return whether a node gives a number made of shapes or values, and no tensor."""
    return isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool)


def is_in_place(node: fx.Node) -> bool:
    """Return whether an operation writes into what it is given."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def is_random(node: fx.Node) -> bool:
    """Return whether an operation draws random numbers."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    given = arguments(node)
    return given.get("train") is not False and given.get("p") != 0  # dropout that drops nothing


def literal(node: fx.Node) -> float | None:
    """Return the number that a node is everywhere, where it is one of the step's text."""
    name = name_of(node.target) if node.op == "call_function" else ""
    number = arguments(node)[NUMBERS[name]] if name in NUMBERS else None
    return float(number) if isinstance(number, int | float) else None


def needed(graph: fx.Graph, outputs: Sequence[fx.Node]) -> list[fx.Node]:
    """Return the nodes that outputs are made of, in order."""
    found = set(outputs)
    for node in reversed(graph.nodes):
        if node in found:
            found.update(node.all_input_nodes)
    return [node for node in graph.nodes if node in found]


def reached(graph: fx.Graph, inputs: Sequence[fx.Node]) -> set[fx.Node]:
    """Return the nodes that inputs have a part in, and be it by the number of rows."""
    found = set(inputs)
    for node in graph.nodes:
        if not found.isdisjoint(node.all_input_nodes):
            found.add(node)
    return found
