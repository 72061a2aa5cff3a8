"""Influence as one Kronecker product a matrix, drawn so that its mean is exact: KF-RTRL (Mujika, Meier and Steger,
2018, arXiv:1805.10842), for any number of products in a step; of vectors all of it is kept.

With z = W v, a step adds (∂s/∂z) ⊗ v to the influence D (A ⊗ u) of W: two such products become one by random signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.equation_cell import EquationCell
from ostinato.training.gradient.method import State
from ostinato.training.gradient.online import RowSteps
from ostinato.training.gradient.traces import cells_of, layer_of


@dataclass(frozen=True)
class Kronecker:
    """For each matrix u (B, K) and A (B, N, R); for each vector its influence (B, N, n).

    For one layer of equations. Memory N·R + K a row, for a matrix of R by K; an exact trace would take N·R·K.
    """

    seed: int = 0

    def begin(self, steps: RowSteps) -> State:
        """Return zeros."""
        cell = _only_cell(steps)
        found = []
        for stack in layer_of(cell).parameters:
            tensor = getattr(cell, stack)
            parts = [tensor.new_zeros(steps.batch, steps.width, tensor.shape[0])]
            found.append((tensor.new_zeros(steps.batch, tensor.shape[1]), *parts) if tensor.dim() == 2 else (*parts,))
        return tuple(found)

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return (∂L/∂s A) ⊗ u, summed over rows."""
        cell, found = _only_cell(steps), {}
        names = {id(p): name for name, p in steps.parameters.items()}
        for stack, parts in zip(layer_of(cell).parameters, kept, strict=True):
            name = names.get(id(getattr(cell, stack)))
            if name is not None:
                arriving = torch.einsum("bn,bnr->br", credit, parts[-1])
                found[name] = arriving.T @ parts[0] if len(parts) == 2 else arriving.sum(0)
        return found

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return None: it goes step by step."""
        return None

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return what is kept after the step."""
        cell = _only_cell(steps)
        layer = layer_of(cell)
        generator = torch.Generator().manual_seed(hash((self.seed, *steps.place)) % 2**63)
        inputs = steps.model.inputs(segment)[0].detach()  # type: ignore[operator]
        through, of_products, of_vectors, operands = self._jacobians(cell, inputs, steps, state)
        after = []
        for stack, own in zip(layer.parameters, kept, strict=True):
            if len(own) == 1:
                biases = [z for (_, _, bias), z in zip(layer.products, of_products, strict=True) if bias == stack]
                after.append((through @ own[0] + of_vectors[stack] + sum(biases),))
                continue
            factor, matrix = own[0], through @ own[1]
            for (name, _, _), z, operand in zip(layer.products, of_products, operands, strict=True):
                if name == stack:
                    factor, matrix = _merged((factor, matrix), (operand, z), generator)
            after.append((factor, matrix))
        return tuple(after)

    def _jacobians(self, cell: EquationCell, inputs: Tensor, steps: RowSteps, state: Tensor):
        """Return ∂s'/∂s (B, N, N), ∂s'/∂z of each product (B, N, R), ∂s'/∂(each vector) (B, N, n), and the operands."""
        layer = layer_of(cell)
        tensors = {stack: getattr(cell, stack).detach() for stack in layer.parameters}
        vectors = {name: tensors[name] for name in layer.vectors}
        pushes = [inputs.new_zeros(tensors[matrix].shape[0]) for matrix, _, _ in layer.products]

        def step(before: Tensor, pushed: list[Tensor], own: dict[str, Tensor], row: Tensor):
            operands: list[Tensor] = []

            def linear(weight: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
                operands.append(v)
                # a bias is counted with its product, and not once more as a vector
                return F.linear(v, weight, None if bias is None else bias.detach()) + pushed[len(operands) - 1]

            layer.linear = linear
            sizes = list(cell.definition.states.values())
            given = dict(zip(cell.definition.states, before.split(sizes), strict=True))
            _, *after = layer.run({"x": row, **cell.constants, **tensors, **own, **given})
            return torch.cat(after), operands

        derivative = jacrev(step, argnums=(0, 1, 2), has_aux=True)
        (through, products, of_vectors), operands = vmap(derivative, in_dims=(0, None, None, 0))(
            state, pushes, vectors, inputs
        )
        return through, products, of_vectors, operands


def _merged(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], generator: torch.Generator):
    """Return (u, A) whose product is in the mean the sum of two; each side is scaled to make the noise small."""
    made = []
    for vector, matrix in (first, second):
        sign = torch.randint(0, 2, (len(vector), 1), generator=generator).to(vector) * 2 - 1
        scale = _ratio(matrix.flatten(1), vector)
        made.append((sign * scale * vector, (sign / scale).unsqueeze(-1) * matrix))
    (u, a), (v, b) = made
    return u + v, a + b


def _ratio(top: Tensor, bottom: Tensor) -> Tensor:
    """Return √(‖top‖ / ‖bottom‖) for each row, 1 where either is nothing."""
    above, below = (side.norm(dim=1, keepdim=True) for side in (top, bottom))
    tiny = torch.finfo(above.dtype).tiny
    return torch.where((above > tiny) & (below > tiny), (above / below.clamp(min=tiny)).sqrt(), torch.ones_like(above))


def _only_cell(steps: RowSteps) -> EquationCell:
    cells = cells_of(steps.model)
    if len(cells) > 1 or steps.model.inputs(steps.first).requires_grad:  # type: ignore[operator]
        got = f"{len(cells)} layers" if len(cells) > 1 else "parameters before the layer"
        raise ConfigError("gradient", got, "KF-RTRL follows the matrices of one layer", "Use --gradient uoro or rtrl")
    return cells[0]
