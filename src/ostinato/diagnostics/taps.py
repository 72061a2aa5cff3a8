"""Taps: every step of every recurrent layer of a model, kept in the graph while the model runs as it always does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import Bound, Cell, State, StepAt
from ostinato.layers.recurrent import Recurrent


class Pass(NamedTuple):
    """What a layer read in one go over steps that follow each other."""

    bound: Bound
    """Its cell, with tensors."""
    inputs: Tensor
    """(N, D): the rows of the first step, then those of the second, …"""
    dt: Tensor | None
    """(N,)"""
    rows: Sequence[int]
    """How many rows each step has."""
    step_at: StepAt
    """What each step makes of a state before it, with its rows and their inputs."""
    before: list[State]
    """The state before each step, whole."""


class Step(NamedTuple):
    """One step of the rows that are alive at it, longest first."""

    state: tuple[Tensor, ...]
    """The parts of the state after it that are numbers, (B, …) each a variable of its own."""
    output: Tensor
    """(B, O)"""
    within: Pass
    place: int
    """Which step of the pass it is, from 0."""

    @property
    def before(self) -> State:
        """The state before it, whole."""
        return self.within.before[self.place]

    def move(self, state: State) -> State:
        """Return what this step makes of a state before it, for these rows and their inputs."""
        return self.within.step_at(self.place, state)[1]


@dataclass
class Tap:
    """What one layer, or one direction of it, did."""

    network: str
    """Where the `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    top: bool
    """Whether its output leaves the network."""
    steps: list[Step] = field(default_factory=list)
    """In the order in which they were taken: of the backward direction, from the last symbol to the first."""
    passes: list[Pass] = field(default_factory=list)
    """The same steps, as the cell was given them."""


@contextmanager
def tapped(model: nn.Module) -> Iterator[list[Tap]]:
    """Keep the steps of all recurrent layers while the block runs.

    Compiled loops keep no intermediate states, so layers run on the eager engine here, to the same numbers.
    """
    taps: list[Tap] = []
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, Recurrent)]
    before = [(module, module.engine, module.recompute) for _, module in found]
    try:
        for name, network in found:
            network.engine, network.recompute = "eager", False
            for depth, cells in enumerate(network.layers):
                for k, cell in enumerate(cells):  # type: ignore[arg-type]
                    tap = Tap(name, depth, k == 1, depth == len(network.layers) - 1)
                    taps.append(tap)
                    cells[k] = _Tapped(cell, tap)  # type: ignore[index,operator]
        yield taps
    finally:
        for network, engine, recompute in before:
            network.engine, network.recompute = engine, recompute
            for cells in network.layers:
                for k, cell in enumerate(cells):  # type: ignore[arg-type]
                    cells[k] = cell.inner if isinstance(cell, _Tapped) else cell  # type: ignore[index,operator]


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """Let a model evaluate while the block runs; what is drawn there is drawn aside."""
    modes = [(module, module.training) for module in model.modules()]
    with torch.random.fork_rng():
        model.eval()
        try:
            yield
        finally:
            for module, learns in modes:
                module.training = learns


class _Tapped(Cell):
    """A cell whose steps are kept. It is a plain one to `unroll`, which runs it step by step."""

    def __init__(self, inner: Cell, tap: Tap):
        super().__init__()
        self.inner, self.tap = inner, tap
        self.input_size, self.hidden_size, self.output_size = inner.input_size, inner.hidden_size, inner.output_size
        self.uses_dt, self.needs_positive_dt, self.draws = inner.uses_dt, inner.needs_positive_dt, inner.draws

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        return self.inner.initial_state(batch_size, device=device, dtype=dtype)

    def bind(self) -> Bound:
        return _Kept(self.inner.bind(), self.tap)

    def begin(self, inputs: Tensor) -> tuple[Bound, Tensor]:
        bound, inputs = self.inner.begin(inputs)
        return _Kept(bound, self.tap), inputs


class _Kept:
    """A bound cell whose steps are kept."""

    def __init__(self, inner: Bound, tap: Tap):
        self.inner, self.tap = inner, tap
        self.input_size, self.output_size = inner.input_size, inner.output_size
        self.uses_dt, self.needs_positive_dt = inner.uses_dt, inner.needs_positive_dt

    def initial_state(self, batch_size: int, *, device, dtype) -> State:
        return self.inner.initial_state(batch_size, device=device, dtype=dtype)

    def over(self, data: Tensor, dt: Tensor | None, rows: Sequence[int]) -> StepAt:
        step_at = self.inner.over(data, dt, rows)
        within = Pass(self.inner, data, dt, rows, step_at, [])
        self.tap.passes.append(within)

        def kept(k: int, state: State) -> tuple[Tensor, State]:
            within.before.append(state)
            output, after = apart(*step_at(k, state))
            self.tap.steps.append(Step(tuple(numbers(after)), output, within, k))
            return output, after

        return kept


def apart(output: Tensor, state: State) -> tuple[Tensor, State]:
    """Return both with the parts of the state as variables of their own: none is reached by way of another.

    An LSTM's h' is made of its c', and ∂E/∂c' is to hold h' as it is. An output that is no part of the state stays.
    """
    leaves, structure = pytree.tree_flatten(state)
    copies = [_variable(leaf) for leaf in leaves]
    own = [copy for copy, leaf in zip(copies, leaves, strict=True) if output is leaf]
    return (own[0] if own else output), pytree.tree_unflatten(copies, structure)


def _variable(leaf: Tensor) -> Tensor:
    """Return a variable of its own: what is only a past input depends on nothing that learns."""
    if torch.is_grad_enabled() and is_number(leaf) and not leaf.requires_grad:
        return leaf.detach().requires_grad_()
    return leaf.view_as(leaf)


def numbers(state: State) -> list[Tensor]:
    """Return the parts of a state that are numbers to differentiate by, real or complex."""
    return [leaf for leaf in pytree.tree_leaves(state) if is_number(leaf)]


def is_number(leaf: Any) -> bool:
    """Whether a part of a state can be differentiated by."""
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())


def as_row(leaf: Tensor) -> Tensor:
    """Return a part of a state (B, …), or its gradient, as real numbers (B, n): complex ones as their two parts."""
    real = torch.view_as_real(leaf) if leaf.is_complex() else leaf
    return real.flatten(1) if real.dim() > 1 else real[:, None]


def stepped(where: str, taps: Sequence[Tap]) -> list[Tap]:
    """Return the taps of layers that took a step. Raises ConfigError, which names `where`, when none did."""
    if not taps:
        got = "a model without recurrent layers"
        raise ConfigError(where, got, "Its layers are those of ostinato.Recurrent", "Pass such a model")
    found = [tap for tap in taps if tap.steps]
    if not found:
        got = "no step of a recurrent layer was taken"
        raise ConfigError(where, got, "A step is taken for each symbol or row of the data", "Pass a batch with some")
    return found


def refuse_without_numbers(where: str, taps: Sequence[Tap]) -> None:
    """Raise ConfigError, which names `where`, for a layer whose state cannot be differentiated by."""
    for tap in taps:
        if not numbers(tap.steps[0].before):
            got = f"layer {tap.layer + 1} has no state of numbers"
            raise ConfigError(where, got, "A state is differentiated", "Pass a model whose cells have one")
