"""The step of a cell, traced by `torch.export` for any number of rows, in silence."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

from ostinato.cells.cell import Cell
from ostinato.cells.reading.nodes import is_in_place, is_size, reached
from ostinato.cells.reading.rows import Unreadable

ROWS = 7
"""Of the batch that is traced; the graph holds for any number."""
_HIGHER = {"wrap_with_set_grad_enabled": "no_grad or enable_grad", "wrap_with_autocast": "autocast"}
_LONGEST_CLAUSE = 120


class FlatStep(nn.Module):
    """The step of a cell over the leaves of its state: (x, leaves, [dt] or []) to (output, leaves)."""

    def __init__(self, cell: Cell, structure: pytree.TreeSpec):
        super().__init__()
        self.cell, self.structure = cell, structure
        self.training = cell.training

    def forward(self, x: Tensor, leaves: Sequence[Tensor], times: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        result = self.cell.step(x, pytree.tree_unflatten(leaves, self.structure), *times)
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], Tensor):
            raise Unreadable("its step does not give (output, state)")
        after, structure = pytree.tree_flatten(result[1])
        if structure != self.structure or not all(isinstance(leaf, Tensor) for leaf in after):
            raise Unreadable("its state comes back in another structure")
        return result[0], after


@dataclass(frozen=True)
class Traced:
    """A step as a graph of operations, and what its inputs are."""

    step: FlatStep
    exported: ExportedProgram
    sources: dict[str, str | Tensor]
    """Input of the graph -> qualified name in the cell, or a constant."""
    leaves: dict[str, int]
    """Name -> size of each leaf of the state."""
    like: Tensor
    """Of the cell's type, on its device."""


def trace(cell: Cell, is_known: Callable[[object], bool]) -> Traced:
    """Return the step of a cell as a graph; Unreadable where none holds for every batch.

    Operations that are not known are taken apart where torch knows how.
    """
    like = next((t for t in chain(cell.parameters(), cell.buffers()) if t.is_floating_point()), torch.empty(0))
    if like.device.type == "meta":
        raise Unreadable("its tensors are on the meta device, which holds no numbers")
    like = like.new_empty(0)
    state = cell.initial_state(ROWS, device=like.device, dtype=like.dtype)
    leaves = _leaves(state, like)
    step = FlatStep(cell, pytree.tree_structure(state))
    exported = _export(step, drawn(cell, leaves.values(), like, ROWS), is_known)
    return Traced(step, exported, _sources(exported, cell), leaves, like)


@contextlib.contextmanager
def undisturbed(device: str) -> Iterator[None]:
    """Take steps as without autocast, no_grad or inference mode around them."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
        yield


def drawn(cell: Cell, sizes: Iterable[int], like: Tensor, rows: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return what a flat step takes, with random numbers; the same ones every time."""
    source = torch.Generator().manual_seed(rows)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source).to(like)

    times = [draw(rows).abs()] if cell.uses_dt else []
    return draw(rows, cell.input_size), [draw(rows, size) for size in sizes], times


def _leaves(state: Any, like: Tensor) -> dict[str, int]:
    leaves: dict[str, int] = {}
    for path, leaf in pytree.tree_flatten_with_path(state)[0]:
        if not isinstance(leaf, Tensor) or leaf.dtype != like.dtype:
            form = leaf.dtype if isinstance(leaf, Tensor) else type(leaf).__name__
            raise Unreadable(f"its state holds {form} beside {like.dtype}")
        if leaf.dim() != 2 or len(leaf) != ROWS or not leaf.shape[1]:
            raise Unreadable(f"its state holds more than a vector for each row: {tuple(leaf.shape)} for {ROWS} rows")
        name = re.sub(r"\W+", "_", pytree.keystr(path)).strip("_") or "h"
        name = f"s{name}" if name[0].isdigit() else name
        while name in ("x", "dt", *leaves):
            name += "_"
        leaves[name] = leaf.shape[1]
    return leaves


def _export(step: FlatStep, example: tuple, is_known: Callable[[object], bool]) -> ExportedProgram:
    rows = torch.export.Dim("rows")
    shapes = pytree.tree_map(lambda _: {0: rows}, example)
    with _silence(), undisturbed(example[0].device.type):
        try:
            exported = torch.export.export(step, example, dynamic_shapes=shapes, strict=False)
        except Unreadable:
            raise
        except Exception as error:  # the step runs here: anything may be raised
            raise Unreadable(_clause(error)) from error
        for node in exported.graph.nodes:
            if isinstance(node.target, torch._ops.HigherOrderOperator):
                raise Unreadable(f"its step uses {_HIGHER.get(node.target.__name__, node.target.__name__)}")
        if all(map(is_known, _operations(exported))):
            return exported
        table = {op: rule for op, rule in torch.export.default_decompositions().items() if not is_known(op)}
        return exported.run_decompositions(table)


def _operations(exported: ExportedProgram) -> list[object]:
    """Return the operations that must be known: those that rows take part in, and those that write in place."""
    given = [s.arg.name for s in exported.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    varying = reached(exported.graph, [node for node in exported.graph.nodes if node.name in given])
    calls = [node for node in exported.graph.nodes if node.op == "call_function" and not is_size(node)]
    return [node.target for node in calls if node in varying or is_in_place(node)]


def _sources(exported: ExportedProgram, cell: Cell) -> dict[str, str | Tensor]:
    sources: dict[str, str | Tensor] = {}
    for spec in exported.graph_signature.input_specs:
        path = str(spec.target).removeprefix("cell.")
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER) or (path != spec.target and _holds(cell, path)):
            sources[spec.arg.name] = path
        elif isinstance(constant := exported.constants.get(str(spec.target)), Tensor):
            sources[spec.arg.name] = constant
        elif spec.kind is not InputKind.USER_INPUT:
            raise Unreadable(f"its step uses {path}, which is no tensor")
    return sources


def _holds(cell: Cell, path: str) -> bool:
    try:
        return isinstance(attrgetter(path)(cell), Tensor)
    except AttributeError:
        return False


def _clause(error: Exception) -> str:
    """Return what stopped torch.export, without its page of advice."""
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode  # imports sympy, as export has

    if isinstance(error, GuardOnDataDependentSymNode):
        return "its step decides by values it computes, as an `if` over a tensor does"
    text = str(error).strip().partition("\n")[0]
    if text.startswith("Constraints violated"):
        return "its step depends on how many rows there are"
    short = text if len(text) <= _LONGEST_CLAUSE else f"{text[:_LONGEST_CLAUSE]}…"
    return f"torch.export cannot read its step ({type(error).__name__}: {short})"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what torch logs, warns of and prints to itself: its findings come back as exceptions."""
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    speaking = [logger for logger in known if logger.name.startswith("torch.") and logger.handlers]
    before = [(logger, logger.handlers, logger.propagate) for logger in (logging.getLogger("torch"), *speaking)]
    for logger, _, _ in before:
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
