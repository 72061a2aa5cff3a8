"""The vendor engine: torch's own kernels (oneDNN, cuDNN), where a cell's equations are the ones they compute."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.cells.cell import State
from ostinato.cells.elman import Elman, ElmanReLU
from ostinato.cells.equation_cell import BoundEquations, Definition, EquationCell, program_of
from ostinato.cells.gru import GRU
from ostinato.cells.lstm import LSTM, ProjectedLSTM
from ostinato.equations.program import Program, canonical
from ostinato.equations.storage import stacks
from ostinato.unroll.layout import Layout


@dataclass(frozen=True)
class Kernel:
    """One of torch's fused loops and the cell whose equations it computes."""

    name: str
    cell: type[EquationCell]

    def weights(self, tensors: dict[str, Tensor]) -> list[Tensor]:
        names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
        return [tensors[n] for n in names if n in tensors]


_KERNELS = [
    Kernel("lstm", LSTM),
    Kernel("lstm", ProjectedLSTM),
    Kernel("gru", GRU),
    Kernel("rnn_tanh", Elman),
    Kernel("rnn_relu", ElmanReLU),
]


@functools.cache
def _known() -> dict[Program, tuple[Kernel, tuple[str, ...]]]:
    """Canonical program -> (kernel, the names torch's order gives its stored tensors)."""
    known = {}
    for kernel in _KERNELS:
        for bias in (True, False):
            program = program_of(kernel.cell, bias=bias)
            known[canonical(program)] = (kernel, tuple(s.name for s in stacks(program)))
    return known


@functools.lru_cache(maxsize=512)
def kernel_of(program: Program) -> Kernel | None:
    """Return the kernel that computes these equations, whatever their names; None where there is none."""
    found = _known().get(canonical(program))
    return found[0] if found else None


def tensors_of(definition: Definition, tensors) -> dict[str, Tensor]:
    """Return a cell's stored tensors under the names of the kernel's own cell, which may call some otherwise."""
    names = _known()[canonical(definition.program)][1]
    return {name: tensors[stack.name] for name, stack in zip(names, definition.stacks, strict=True)}


def run(
    bound: BoundEquations, data: Tensor, state: State, layout: Layout, *, dt: Tensor | None = None, keep: bool = False
):
    """Run a kernel along a layout; arguments and results as in `eager.run`. Rows of length 0 keep their state."""
    if not layout.rows:
        return data.new_zeros(0, bound.output_size), state, None
    kernel = kernel_of(bound.definition.program)
    assert kernel is not None
    weights = kernel.weights(tensors_of(bound.definition, bound.tensors))
    has_biases = len(weights) >= 4
    leaves = list(bound.definition.state_values(state))
    rows = layout.rows[0]
    start = [leaf[:rows].unsqueeze(0).contiguous() for leaf in leaves]
    hidden = tuple(start) if kernel.name == "lstm" else start[0]
    function = getattr(torch, kernel.name)
    # one layer, no dropout, whether gradients may be asked for, one direction
    settings = (hidden, weights, has_biases, 1, 0.0, torch.is_grad_enabled(), False)
    if layout.rows[-1] == rows:
        result = function(data.view(len(layout.rows), rows, -1), *settings, False)
        outputs = result[0].flatten(0, 1)
    else:
        result = function(data, torch.tensor(layout.rows), *settings)
        outputs = result[0]
    last = [
        torch.cat([new[0], old[rows:]]) if rows < layout.batch else new[0]
        for new, old in zip(result[1:], leaves, strict=True)
    ]
    return outputs, bound.definition.pack_state(last), (outputs if keep else None)
