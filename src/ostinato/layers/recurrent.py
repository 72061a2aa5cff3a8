"""`Recurrent`: any cell over time, stacked, in one or two directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.catalogue import build_cell
from ostinato.cells.cell import Cell, State
from ostinato.cells.wrappers.highway import highway_gate
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState
from ostinato.cells.wrappers.regularised import Regularisers
from ostinato.layers.ragged import enter, turn
from ostinato.layers.stack import Seen, check_share, run_stack
from ostinato.unroll import plan

INITIAL_STATES = ("zero", "learned")


class Recurrent(nn.Module):
    """Run any cell over sequences.

    >>> import torch
    >>> layer = Recurrent("gru", 32, 64, num_layers=2, bidirectional=True)
    >>> outputs, state = layer(torch.zeros(10, 3, 32), lengths=torch.tensor([10, 0, 4]))
    >>> outputs.shape, len(state), state[0].shape
    (torch.Size([10, 3, 128]), 4, torch.Size([3, 64]))

    cell           a name of the catalogue, the text of equations, a class of cells, or a cell.
    hidden_size    one size, or one for each layer.
    dropout        between layers, while training; with `variational` one mask for all steps of a row.
    residual       adds a layer's input to its output, from the second layer on.
    highway        mixes them by a learned gate instead (Srivastava, Greff and Schmidhuber, 2015, arXiv:1505.00387).
    initial_state  "zero" or "learned"; a state passed to the call goes before both.
    recompute      keep only states for the backward pass, and compute gates again there: less memory, more arithmetic.
    wrap           what is put around every cell: `lambda cell: ostinato.Zoneout(cell, {"h": 0.05, "c": 0.5})`.
    values         `norm`, `weight_drop`, `recurrent_dropout`, `zoneout` and `clip_inside`, as
                   `cells.wrappers.regularised` says, and further keywords of the cell (`initialisers`, constants, …).

    The call takes (T, B, D), or (B, T, D) with `batch_first`, a PackedSequence or a jagged nested tensor, and gives
    outputs in the same form, with the state: a tuple with one cell state for each layer and direction.
    Raises ConfigError for sizes and settings that do not fit.
    """

    def __init__(
        self,
        cell: str | type[Cell] | Cell,
        input_size: int | None = None,
        hidden_size: int | Sequence[int] | None = None,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        variational: bool = False,
        residual: bool = False,
        highway: bool = False,
        initial_state: str = "zero",
        batch_first: bool = False,
        engine: str = "auto",
        recompute: bool = False,
        wrap: Callable[[Cell], Cell] | None = None,
        **values: Any,
    ):
        super().__init__()
        known = {f.name: values.pop(f.name) for f in fields(Regularisers) if f.name in values}
        regularisers = Regularisers(**known)
        if isinstance(cell, Cell):
            if values:
                raise ConfigError(
                    "Recurrent",
                    f"{', '.join(values)} beside a cell that is made",
                    "Such keywords are for a cell that is yet to be made",
                    "Give them to the cell",
                )
            input_size = cell.input_size if input_size is None else input_size
            hidden_size = cell.hidden_size if hidden_size is None else hidden_size
        if input_size is None or hidden_size is None:
            raise ConfigError(
                "Recurrent",
                "input_size or hidden_size is missing",
                "Both are needed unless a cell is passed",
                "",
            )
        sizes = layer_sizes(hidden_size, num_layers)
        _check(dropout, initial_state)
        self.input_size, self.hidden_sizes = input_size, sizes
        self.num_layers, self.bidirectional, self.batch_first = len(sizes), bidirectional, batch_first
        self.dropout, self.variational, self.residual = dropout, variational, residual
        self.engine, self.recompute = engine, recompute
        self.observe: Callable[[Seen], None] | None = None
        self.layers = nn.ModuleList()
        for size in sizes:
            directions = [
                _built(cell, input_size, size, values, first=not (self.layers or k)) for k in range(1 + bidirectional)
            ]
            if initial_state == "learned":
                directions = [LearnedInitialState(c) for c in directions]
            directions = [regularisers.around(c) for c in directions]
            directions = directions if wrap is None else [wrap(c) for c in directions]
            self.layers.append(nn.ModuleList(directions))
            input_size = sum(c.output_size for c in directions)
        self.output_size = input_size
        if residual and highway:
            raise ConfigError(
                "highway", "residual=True beside it", "A layer's input is added, or mixed in", "Leave one out"
            )
        if (residual or highway) and len({sum(c.output_size for c in layer) for layer in self.layers}) > 1:  # type: ignore[misc,union-attr]
            raise ConfigError(
                "residual" if residual else "highway",
                f"layers of sizes {sizes}",
                "A layer's input is added to its output, so all layers are equally large",
                "",
            )
        like = next(iter(self.state_dict().values()), torch.empty(0))
        gates = self.num_layers - 1 if highway else 0
        self.gates = nn.ModuleList(highway_gate(input_size, like) for _ in range(gates))

    def forward(
        self,
        inputs: Tensor | PackedSequence,
        state: Sequence[State] | None = None,
        *,
        lengths: Tensor | None = None,
        reset: Tensor | None = None,
        dt: Tensor | None = None,
        return_states: bool = False,
    ) -> tuple:
        """Return (outputs, state), and with `return_states` every step's states as a third; see `unroll`.

        `reset` and `dt` are (T, B), or (B, T) with `batch_first`, beside packed and jagged inputs too (padded).
        Every step's states have the form of the outputs.
        """
        padded, lengths, leave = enter(inputs, lengths, self.batch_first)
        given = {"reset": reset, "dt": dt}
        if self.batch_first:
            given = {name: v if v is None else turn(name, v) for name, v in given.items()}
        self._check_state(state)
        outputs, last, every = run_stack(
            self.layers,  # type: ignore[arg-type]
            padded,
            state,
            dropout=self.dropout if self.training else 0.0,
            variational=self.variational,
            residual=self.residual,
            gates=self.gates,  # type: ignore[arg-type]
            return_states=return_states,
            observe=self.observe,
            lengths=lengths,
            engine=self.engine,
            recompute=self.recompute,
            **given,
        )
        return (leave(outputs), last, pytree.tree_map(leave, every)) if return_states else (leave(outputs), last)

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """Return the state before the first step."""
        weight = next(iter(self.state_dict().values()), torch.empty(0))
        cells = [c for layer in self.layers for c in layer]  # type: ignore[attr-defined]
        return tuple(c.initial_state(batch_size, device=weight.device, dtype=weight.dtype) for c in cells)

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return [str(plan(layer[0], engine=self.engine)) for layer in self.layers]  # type: ignore[index]

    def extra_repr(self) -> str:
        settings = f"bidirectional={self.bidirectional}, dropout={self.dropout}, residual={self.residual}"
        return f"{self.input_size}, {self.hidden_sizes}, {settings}"

    def _check_state(self, state: Sequence[State] | None) -> None:
        wanted = self.num_layers * (1 + self.bidirectional)
        if state is not None and (isinstance(state, Tensor) or len(state) != wanted):
            got = "a tensor" if isinstance(state, Tensor) else f"{len(state)} states"
            advice = "Wrap the state of the one layer: (state,)" if wanted == 1 else ""
            raise ConfigError("state", got, f"A tuple of {wanted}: one for each layer and direction", advice)


def layer_sizes(hidden_size: int | Sequence[int], num_layers: int) -> tuple[int, ...]:
    """Return one size for each layer; ConfigError where the numbers do not fit."""
    if not isinstance(num_layers, int) or num_layers < 1:
        raise ConfigError("num_layers", f"{num_layers} was given", "At least one layer, a whole number")
    if isinstance(hidden_size, int):
        return (hidden_size,) * num_layers
    if not isinstance(hidden_size, Sequence) or isinstance(hidden_size, str):
        raise ConfigError("hidden_size", f"{hidden_size!r} was given", "One whole number, or one for each layer")
    if num_layers not in (1, len(hidden_size)) or not hidden_size:
        raise ConfigError(
            "hidden_size",
            f"{len(hidden_size)} sizes for {num_layers} layers",
            "One size, or one for each layer",
            "",
        )
    return tuple(hidden_size)


def _built(cell: str | type[Cell] | Cell, input_size: int, hidden_size: int, values: dict, *, first: bool) -> Cell:
    if not isinstance(cell, Cell):
        return build_cell(cell, input_size, hidden_size, **values)
    if first and (cell.input_size, cell.hidden_size) == (input_size, hidden_size):
        return cell
    if not hasattr(cell, "resized"):
        raise ConfigError(
            "cell",
            f"one {type(cell).__name__} for several layers or directions",
            "A cell that is passed is used once",
            "Pass its class, or give it resized(input_size, hidden_size)",
        )
    return cell.resized(input_size, hidden_size)  # type: ignore[operator]


def _check(dropout: float, initial_state: str) -> None:
    check_share("dropout", dropout)
    if initial_state not in INITIAL_STATES:
        raise ConfigError("initial_state", f"'{initial_state}' was given", f"Known are {', '.join(INITIAL_STATES)}", "")
