"""The vendor engine: torch's own kernels (oneDNN, cuDNN), where a cell's equations are the ones they compute."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import State
from ostinato.cells.definition import Definition
from ostinato.cells.equation_cell import EquationCell, program_of
from ostinato.cells.foundations.elman import Elman, ElmanReLU
from ostinato.cells.gated.gru import GRU
from ostinato.cells.gated.lstm import LSTM, ProjectedLSTM
from ostinato.equations import sizes
from ostinato.equations.normal import normal_form
from ostinato.equations.program import Program
from ostinato.equations.storage import Stack, stacks, without
from ostinato.unroll.layout import Layout


@dataclass(frozen=True)
class Kernel:
    """One of torch's fused loops, the cell whose equations it computes, and biases a text may leave out."""

    name: str
    cell: type[EquationCell]
    optional: tuple[frozenset[str], ...]
    """Sets of biases; without one, the equations are the kernel's with zeros for it."""


TORCH_ORDER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""The order in which torch's kernels take a layer's tensors."""
_LSTM_SECOND = frozenset({"d_i", "d_f", "d_g", "d_o"})
_KERNELS = [
    Kernel("lstm", LSTM, (_LSTM_SECOND,)),
    Kernel("lstm", ProjectedLSTM, (_LSTM_SECOND,)),
    Kernel("gru", GRU, (frozenset({"d_r", "d_z"}), frozenset({"d_r", "d_z", "d_n"}))),
    Kernel("rnn_tanh", Elman, (frozenset({"d"}),)),
    Kernel("rnn_relu", ElmanReLU, (frozenset({"d"}),)),
]


@dataclass(frozen=True)
class Match:
    """A kernel for a program: which of the program's parameters is which of the kernel's."""

    kernel: Kernel
    symbols: Mapping[str, str]
    """Symbol of the kernel's cell -> parameter of the program; biases that are left out are missing."""


@functools.cache
def _known() -> dict[tuple, tuple[Kernel, tuple[str, ...]]]:
    """Key of a normal form -> (kernel, the symbols of its cell in the order of that form)."""
    known = {}
    for kernel in _KERNELS:
        whole = program_of(kernel.cell)
        forms = [whole, program_of(kernel.cell, bias=False), *(without(whole, biases) for biases in kernel.optional)]
        for form in map(normal_form, forms):
            known[form.key] = (kernel, form.parameters)
    return known


@functools.lru_cache(maxsize=512)
def match(program: Program) -> Match | None:
    """Return the kernel that computes these equations, whatever their names and order; None where there is none."""
    form = normal_form(program)
    if form.key not in _known():
        return None
    kernel, symbols = _known()[form.key]
    return Match(kernel, dict(zip(symbols, form.parameters, strict=True)))


def weights(found: Match, definition: Definition, tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """Return a cell's tensors in the order torch's kernels take them; zeros for a bias that is left out.

    A stored tensor is passed as it is where its rows already stand in the kernel's order.
    """
    own = {stack.name: stack for stack in stacks(program_of(found.kernel.cell))}
    given = [n for n in TORCH_ORDER if n in own and not set(own[n].symbols).isdisjoint(found.symbols)]
    if "bias_ih" in given and "bias_hh" not in given:
        given.insert(given.index("bias_ih") + 1, "bias_hh")
    return [_assembled(own[name], found, definition, tensors) for name in given]


def _assembled(wanted: Stack, found: Match, definition: Definition, tensors: Mapping[str, Tensor]) -> Tensor:
    names = tuple(found.symbols.get(symbol, "") for symbol in wanted.symbols)
    for stack in definition.stacks:
        if stack.symbols == names:
            return tensors[stack.name]
    like = next(iter(tensors.values()))
    parts = []
    for symbol, name in zip(wanted.symbols, names, strict=True):
        if name:
            holder, start, length = definition.symbols[name]
            parts.append(tensors[holder].narrow(0, start, length))
        else:
            rows = program_of(found.kernel.cell).shape(symbol)[0]
            parts.append(like.new_zeros(sizes.value(rows, definition.numbers)))
    return torch.cat(parts)


def run(
    bound: BoundEquations, data: Tensor, state: State, layout: Layout, *, dt: Tensor | None = None, keep: bool = False
):
    """Run a kernel along a layout; arguments and results as in `eager.run`. Rows of length 0 keep their state."""
    if not layout.rows:
        return data.new_zeros(0, bound.output_size), state, None
    found = match(bound.definition.program)
    assert found is not None
    given = weights(found, bound.definition, bound.tensors)
    has_biases = len(given) >= 4
    leaves = list(bound.definition.state_values(state))
    rows = layout.rows[0]
    start = [leaf[:rows].unsqueeze(0).contiguous() for leaf in leaves]
    hidden = tuple(start) if found.kernel.name == "lstm" else start[0]
    function = getattr(torch, found.kernel.name)
    # one layer, no dropout, whether gradients may be asked for, one direction
    settings = (hidden, given, has_biases, 1, 0.0, torch.is_grad_enabled(), False)
    if layout.rows[-1] == rows:
        result = function(data.view(len(layout.rows), rows, -1), *settings, False)
        outputs = result[0].flatten(0, 1)
    else:
        result = function(data, torch.tensor(layout.rows, device="cpu"), *settings)
        outputs = result[0]
    last = [
        torch.cat([new[0], old[rows:]]) if rows < layout.batch else new[0]
        for new, old in zip(result[1:], leaves, strict=True)
    ]
    return outputs, bound.definition.pack_state(last), (outputs if keep else None)
