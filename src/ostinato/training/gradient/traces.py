"""Influence of each parameter on its own unit alone: as many numbers as parameters, one trace for each state.

A row of a stored matrix belongs to one unit: row r of the gates of H units to unit r mod H. A trace follows

    E_t = d_t ⊙ E_{t-1} + (∂s_t/∂z_t) operandᵀ

where z are the results of products, ∂s/∂z is taken unit by unit, and d is how a unit's states pass on to themselves.

`through="nothing"`   d without the way through products: e-prop (Bellec et al., 2020, doi:10.1038/s41467-020-17236-y),
                      which is RFLO in a leaky network (Murray, 2019, doi:10.7554/eLife.43299); exact where no
                      product meets the state, as in diagonal cells.
`through="diagonal"`  d with each unit's own recurrent weight: SnAp-1 (Menick et al., 2021, arXiv:2006.07232).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell
from ostinato.cells.definition import Definition
from ostinato.cells.equation_cell import EquationCell
from ostinato.equations.program import PRODUCTS
from ostinato.equations.structure import mixes
from ostinato.equations.torch_reader import Linear, compile_torch
from ostinato.layers.stack import passed_on
from ostinato.training.config import above_zero
from ostinato.training.gradient.influence import Exact, Sparse
from ostinato.training.gradient.method import State, leaves_of
from ostinato.training.gradient.online import Choice, Influence, RowSteps


@dataclass(frozen=True)
class EProp:
    """One trace a parameter and state of its own layer; nothing passes from layer to layer but within a step."""

    through: Literal["nothing", "diagonal"] = "nothing"

    def begin(self, steps: RowSteps) -> State:
        """Return zeros: for each layer, for each of its states, a trace for each parameter."""
        return tuple(self._zeros(cell, steps.batch) for cell in cells_of(steps.model))

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return (∂L/∂s) E, summed over rows, each layer with the part of ∂L/∂s that is its own."""
        found: dict[str, Tensor] = {}
        names = {id(p): name for name, p in steps.learned.items()}
        parts = iter(credit.split([leaf.shape[1] for leaf in steps.leaves], 1))
        for cell, traces in zip(cells_of(steps.model), kept, strict=True):
            layer = layer_of(cell)
            for of_state in traces:
                arriving = next(parts)
                for stack, trace in zip(layer.parameters, of_state, strict=True):
                    weight = layer.by_row(stack, arriving)
                    gradient = torch.einsum("bn,bn...->n...", weight, trace)
                    name = names.get(id(getattr(cell, stack)))
                    if name is None:  # frozen
                        continue
                    found[name] = found[name] + gradient if name in found else gradient
        return found

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return the traces after a window, where they are exact."""
        from ostinato.training.gradient import windows  # which knows traces

        return windows.follow(steps, segment, state, kept) if windows.fits(steps, segment) else None

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return the traces after the step."""
        model = steps.model
        inputs = model.inputs(segment)[0]  # type: ignore[operator]
        after = []
        for cell, own, traces in zip(cells_of(model), steps.unflat(state), kept, strict=True):
            layer = layer_of(cell)
            after.append(layer.follow(cell, self.through, inputs, leaves_of(own), traces))
            output, recurrent = cell.step(inputs, own)[0], model.recurrent
            inputs = passed_on(len(after) - 1, inputs, output, recurrent.gates, residual=recurrent.residual)  # type: ignore[union-attr]
        return tuple(after)

    def _zeros(self, cell: EquationCell, batch: int) -> State:
        layer = layer_of(cell)
        tensors = [getattr(cell, stack) for stack in layer.parameters]
        return tuple(tuple(t.new_zeros(batch, *t.shape) for t in tensors) for _ in cell.definition.states)


@dataclass(frozen=True)
class SnAp(Choice):
    """The influence of a parameter on the units it reaches within `n` steps: traces for n = 1, where each parameter
    reaches its own unit alone, and `Sparse` otherwise.

    A trace holds every state of a unit, also those the paper's pattern leaves out (the cell state of an LSTM, for its
    output gate).
    """

    n: int = 1

    def __post_init__(self):
        above_zero("n", self.n)

    def choose(self, steps: RowSteps) -> Influence:
        """Return what fits the model."""
        if self.n > 1 or why_no_traces(steps.model):
            return Sparse(self.n)
        return (
            Sparse(1) if any("parameters" in _mixed(c.definition) for c in cells_of(steps.model)) else EProp("diagonal")
        )


@dataclass(frozen=True)
class RealTime(Choice):
    """The whole influence: traces where they are exact, as in one diagonal layer, and `Exact` otherwise.

    Raises ConfigError where all of it would take more than `memory` bytes.
    """

    memory: int = 4 << 30

    def choose(self, steps: RowSteps) -> Influence:
        """Return what fits the model."""
        reason = why_no_traces(steps.model) or why_not_exact(steps)
        if reason is None:
            return EProp()
        # the influence, and the Jacobian of the step that is added to it
        needed = 2 * steps.batch * steps.width * sum(steps.sizes) * steps.leaves[0].element_size()
        if needed > self.memory:
            raise ConfigError(
                "--gradient rtrl",
                f"{steps.width} numbers of state and {sum(steps.sizes):,} parameters, {steps.batch} rows",
                f"Their influence takes {needed / 2**30:.1f} GiB ({reason})",
                "Use a smaller model or --batch-size, a diagonal cell, or --gradient uoro, snap or e-prop",
            )
        return Exact()


class _Layer:
    """How the step of one cell is taken apart into units."""

    def __init__(self, definition: Definition):
        sizes = set(definition.states.values())
        self.definition, self.program = definition, definition.fused
        if len(sizes) > 1:
            shown = ", ".join(f"{s} of {n}" for s, n in definition.states.items())
            raise ConfigError("gradient", f"states {shown}", "Traces need states of one size: a unit has one of each")
        self.units = sizes.pop()
        self.parameters = [stack.name for stack in definition.stacks]
        for stack in definition.stacks:
            rows = definition.shape(stack)[0] if stack.shape else 0
            if not rows or rows % self.units:
                raise ConfigError(
                    "gradient",
                    f"{stack.name} has {rows or 'no'} rows for {self.units} units",
                    "Traces need parameters that belong to units",
                    "Use --gradient rtrl, uoro or truncated",
                )
        # of each product in order: the matrix, whether it is transposed, and its bias
        self.products = [
            (str(op.args[0]), op.fn == "matmul_t", str(op.args[2]) if op.fn == "affine" else None)
            for op in self.program.ops
            if op.fn in PRODUCTS
        ]
        if any(transposed for _, transposed, _ in self.products):
            raise ConfigError(
                "gradient",
                "a matrix meets its operand with its columns",
                "Traces need rows that belong to units",
                "Use --gradient rtrl, uoro or truncated",
            )
        self.vectors = [s.name for s in definition.stacks if len(s.shape) < 2]
        self.shapes = {s.name: definition.shape(s) for s in definition.stacks}
        self.linear: Linear = F.linear
        """What a product does in the call at hand."""
        self.run = compile_torch(self.program, definition.numbers, lambda *given: self.linear(*given))

    def by_row(self, stack: str, per_unit: Tensor) -> Tensor:
        """Return (B, rows): for each row of a stored tensor, the number of its unit."""
        return per_unit.repeat(1, self.shapes[stack][0] // self.units)

    def follow(self, cell: EquationCell, through: str, x: Tensor, state: list[Tensor], traces: State) -> State:
        """Return this layer's traces after a step with input x (B, D)."""
        tensors = {stack: getattr(cell, stack).detach() for stack in self.parameters}
        own, of_products, of_vectors, operands = self._derivatives(cell, through, tensors, x.detach(), state)
        after = []
        for a in range(len(state)):
            found = []
            for k, stack in enumerate(self.parameters):
                past = sum(self._times(self.by_row(stack, own[a][b]), traces[b][k]) for b in range(len(state)))
                found.append(past + self._direct(stack, tensors, of_products[a], of_vectors[a], operands))
            after.append(tuple(found))
        return tuple(after)

    def _times(self, weight: Tensor, trace: Tensor) -> Tensor:
        return weight.unsqueeze(-1) * trace if trace.dim() == 3 else weight * trace

    def _direct(self, stack: str, tensors: Mapping[str, Tensor], products, vectors, operands) -> Tensor:
        """Return how a step depends on a parameter, unit by unit."""
        if stack in self.vectors:
            found = vectors[stack]
            return found + sum(
                delta for (_, _, bias), delta in zip(self.products, products, strict=True) if bias == stack
            )
        pairs = zip(self.products, products, operands, strict=True)
        return sum(delta.unsqueeze(-1) * v.unsqueeze(1) for (matrix, _, _), delta, v in pairs if matrix == stack)  # type: ignore[return-value]

    def _derivatives(self, cell: EquationCell, through: str, tensors, x: Tensor, state: list[Tensor]):
        """Return, for each new state a: ∂a/∂(each state), ∂a/∂z of each product, ∂a/∂(each vector), (B, ·) each, and
        the operands of the products."""
        seen: list[Tensor] = []
        vectors = {name: tensors[name] for name in self.vectors}
        pushes = [x.new_zeros(tensors[matrix].shape[0]) for matrix, _, _ in self.products]

        def new_state(which: int, states: tuple[Tensor, ...], pushed: list[Tensor], own: dict, row: Tensor):
            count, operands = iter(range(len(pushed))), []

            def linear(weight: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
                k = next(count)
                operands.append(v)
                whole = F.linear(v, weight, bias).detach() + pushed[k]
                if through == "nothing" or v.shape[-1] != self.units:
                    return whole
                diagonal = torch.cat([block.diagonal() for block in weight.split(self.units)])
                self_made = diagonal * v.repeat(len(weight) // self.units)
                return whole + self_made - self_made.detach()

            given = dict(zip(self.definition.states, states, strict=True))
            values = {"x": row, **cell.constants, **tensors, **own, **given}
            self.linear = linear
            _, *after = self.run(values)
            return after[which].sum(), operands

        for_states, for_products, for_vectors = [], [], []
        for which in range(len(state)):
            one = functools.partial(new_state, which)
            derivative = grad(one, argnums=(0, 1, 2), has_aux=True)
            (own, products, of_vectors), seen = vmap(derivative, in_dims=(0, None, None, 0))(
                tuple(s.detach() for s in state), pushes, vectors, x
            )
            for_states.append(own)
            for_products.append(products)
            for_vectors.append(of_vectors)
        return for_states, for_products, for_vectors, seen


@functools.lru_cache(maxsize=64)
def _by_definition(definition: Definition) -> _Layer:
    return _Layer(definition)


def layer_of(cell: EquationCell) -> _Layer:
    """Return how the step of a cell is taken apart."""
    return _by_definition(cell.definition)


def cells_of(model: nn.Module) -> list[EquationCell]:
    """Return the cells of a model's layers; ConfigError where traces cannot follow them."""
    recurrent: Any = getattr(model, "recurrent", None)
    cells: list[Cell] = [cell for layer in recurrent.layers for cell in layer] if recurrent is not None else []
    if recurrent is None or not cells or not hasattr(model, "inputs"):
        raise ConfigError("gradient", f"a {type(model).__name__}", "Traces need a model with layers of cells")
    if recurrent.bidirectional:
        raise ConfigError("gradient", "two directions", "Traces travel forward with the state", "Use one direction")
    for cell in cells:
        if not isinstance(cell, EquationCell):
            raise ConfigError("gradient", f"a {type(cell).__name__}", "Traces need cells that are equations")
        if cell.uses_dt:
            raise ConfigError("gradient", "a cell that uses dt", "Traces need steps of equal length")
    return cells  # type: ignore[return-value]


def why_no_traces(model: nn.Module) -> str | None:
    """Return why traces cannot follow a model; None where they can."""
    try:
        for cell in cells_of(model):
            layer_of(cell)
    except ConfigError as error:
        return error.got
    return None


def why_not_exact(steps: RowSteps) -> str | None:
    """Return why traces are not the whole influence, as one clause; None where they are."""
    cells = cells_of(steps.model)
    if len(cells) > 1:
        return "a layer reaches the units of the next"
    if steps.model.inputs(steps.first).requires_grad:  # type: ignore[operator]
        return "parameters before the layer reach all of its units"
    mixed = _mixed(cells[0].definition)
    if "states" in mixed:
        return "the units of this cell reach each other"
    return "a product's operand is itself a product" if "parameters" in mixed else None


@functools.lru_cache(maxsize=64)
def _mixed(definition: Definition) -> frozenset[str]:
    """Return what other units than its own feel within a step: "states", "parameters", both or nothing."""
    program, found = definition.fused, set()
    reached = {"states": {s.name for s in program.states}, "parameters": {p.name for p in program.parameters}}
    needed = {name for label, name in program.outputs if label != "y"}
    for op in reversed(program.ops):  # an output's products reach no state
        needed |= {a for a in op.args if isinstance(a, str)} if op.out in needed else set()
    for op in program.ops:
        operands = op.args[1:2] if op.fn in PRODUCTS else op.args
        for what, names in reached.items():
            if op.out in needed and mixes(op) and not names.isdisjoint(operands):
                found.add(what)
            if not names.isdisjoint(op.args):
                names.add(op.out)
    return frozenset(found)
