"""`ostinato.nn.RNN`, `LSTM`, `GRU`: the arguments, weights, calls and errors of `torch.nn`'s, on Ostinato's engines.

Changing one import is all it takes; a `state_dict` loads both ways.
"""

from __future__ import annotations

import math
import numbers
import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.definition import Definition, define, size_numbers
from ostinato.cells.equation_cell import EquationCell, program_of
from ostinato.cells.foundations.elman import Elman, ElmanReLU
from ostinato.cells.gated.gru import GRU as GRUCell
from ostinato.cells.gated.lstm import LSTM as LSTMCell
from ostinato.cells.gated.lstm import ProjectedLSTM
from ostinato.layers.ragged import enter
from ostinato.layers.stack import run_stack
from ostinato.unroll.plan import autocasts
from ostinato.unroll.vendor import TORCH_ORDER


class _TorchLike(nn.Module):
    """What the three share; the equations, and whether there are two states, are all that differs."""

    def __init__(
        self,
        kind: type[EquationCell],
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        engine: str = "auto",
    ):
        super().__init__()
        _check_arguments(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode, self.input_size, self.hidden_size, self.num_layers = (
            mode,
            input_size,
            hidden_size,
            num_layers,
        )
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size, self.engine = bidirectional, proj_size, engine
        self._kind = kind
        self._definitions = [[self._define(layer)] * (1 + bool(bidirectional)) for layer in range(num_layers)]
        for layer, directions in enumerate(self._definitions):
            for k, definition in enumerate(directions):
                stacks = {s.name: s for s in definition.stacks}
                for name in (n for n in TORCH_ORDER if n in stacks):
                    shape = definition.shape(stacks[name])
                    self.register_parameter(
                        _flat(name, layer, k), nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter uniformly on ±1/√hidden_size."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, input: Tensor | PackedSequence, hx=None):
        """Return (output, h_n), for LSTM (output, (h_n, c_n)), as `torch.nn` does."""
        batched = self._check_input(input)
        if not batched:
            input = input.unsqueeze(1)  # type: ignore[union-attr]
        padded, lengths, leave = enter(input, None, self.batch_first and batched)
        state = None if hx is None else self._split(self._checked(hx, padded, batched))
        bounds = [[self._bound(d, layer, k) for k, d in enumerate(ds)] for layer, ds in enumerate(self._definitions)]
        dropout = self.dropout if self.training else 0.0
        outputs, last, _ = run_stack(bounds, padded, state, dropout=dropout, lengths=lengths, engine=self.engine)
        joined = [
            torch.stack(parts) for parts in zip(*(d if isinstance(d, tuple) else (d,) for d in last), strict=True)
        ]
        if not batched:
            return outputs.squeeze(1), self._joined([j.squeeze(1) for j in joined])
        return leave(outputs), self._joined(joined)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, a list for each layer and direction."""
        return [
            [getattr(self, _flat(s, layer, k)) for s in TORCH_ORDER if hasattr(self, _flat(s, layer, k))]
            for layer, directions in enumerate(self._definitions) for k in range(len(directions))
        ]  # fmt: skip

    def flatten_parameters(self) -> None:
        """Do nothing: no engine here needs the weights in one piece of memory."""

    def extra_repr(self) -> str:
        shown = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        changed = [f"{k}={getattr(self, k)}" for k, usual in shown.items() if getattr(self, k) != usual]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed])

    @property
    def _two_states(self) -> bool:
        return self.mode == "LSTM"

    def _define(self, layer: int) -> Definition:
        size = self.input_size if layer == 0 else (self.proj_size or self.hidden_size) * (1 + bool(self.bidirectional))
        program = program_of(self._kind, bias=self.bias)
        return define(program, size_numbers(program, size, self.hidden_size, {"proj_size": self.proj_size}))

    def _bound(self, definition: Definition, layer: int, direction: int) -> BoundEquations:
        return BoundEquations(
            definition,
            {s.name: getattr(self, _flat(s.name, layer, direction)) for s in definition.stacks},
            {},
        )

    def _joined(self, parts: list[Tensor]):
        return tuple(parts) if self._two_states else parts[0]

    def _split(self, hx):
        kind = self._definitions[0][0]
        return [
            kind.pack_state(parts)
            for parts in zip(*(h.unbind(0) for h in (hx if self._two_states else (hx,))), strict=True)
        ]

    def _check_input(self, given: Tensor | PackedSequence) -> bool:
        """Raise what torch raises for an input that does not fit; return whether it has a batch axis."""
        packed = isinstance(given, PackedSequence)
        data = given.data if packed else given
        if data.dim() not in ((2,) if packed else (2, 3)):
            raise ValueError(f"{self.mode}: Expected input to be 2D or 3D, got {data.dim()}D instead")
        weight = self.weight_ih_l0
        if data.dtype != weight.dtype and not autocasts(data.device.type):
            raise ValueError(
                f"RNN input dtype ({data.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({data.dtype})"
            )
        if data.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {data.shape[-1]}"
            )
        return packed or data.dim() == 3

    def _checked(self, hx, padded: Tensor, batched: bool):
        parts = hx if self._two_states else (hx,)
        if self._two_states and (isinstance(hx, Tensor) or len(hx) != 2):
            raise RuntimeError("LSTM: hx is a tuple (h_0, c_0)")
        for part in parts:
            if part.dim() != (3 if batched else 2):
                form = "batched 3-D" if batched else "unbatched 2-D"
                raise RuntimeError(
                    f"For {form} input, hx should also be {3 if batched else 2}-D but got {part.dim()}-D tensor"
                )
        parts = parts if batched else tuple(p.unsqueeze(1) for p in parts)
        rows = self.num_layers * (1 + bool(self.bidirectional))
        sizes = [self.proj_size or self.hidden_size, self.hidden_size]
        for name, part, size in zip(("hidden[0]", "hidden[1]"), parts, sizes, strict=False):
            if tuple(part.shape) != (rows, padded.shape[1], size):
                raise RuntimeError(f"Expected {name} size {(rows, padded.shape[1], size)}, got {list(part.shape)}")
            if part.dtype != padded.dtype and (part.dtype != torch.float32 or padded.dtype.itemsize >= 4):
                raise RuntimeError(f"{name} is {part.dtype} and the input is {padded.dtype}")
        return tuple(parts) if self._two_states else parts[0]


class RNN(_TorchLike):
    """`torch.nn.RNN`: the vanilla network, nonlinearity "tanh" or "relu"."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args,
        **kwargs,
    ):
        cells = {"tanh": Elman, "relu": ElmanReLU}
        if nonlinearity not in cells:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        _refuse_projection(kwargs)
        super().__init__(
            cells[nonlinearity],
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            *args,
            **kwargs,
        )


class GRU(_TorchLike):
    """`torch.nn.GRU`."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *args, **kwargs):
        _refuse_projection(kwargs)
        super().__init__(GRUCell, "GRU", input_size, hidden_size, num_layers, *args, **kwargs)


class LSTM(_TorchLike):
    """`torch.nn.LSTM`, with `proj_size`."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *args, **kwargs):
        projected = bool(kwargs.get("proj_size") or (len(args) > 4 and args[4]))
        super().__init__(
            ProjectedLSTM if projected else LSTMCell,
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            *args,
            **kwargs,
        )


def _flat(name: str, layer: int, direction: int) -> str:
    return f"{name}_l{layer}{'_reverse' if direction else ''}"


_PROJECTED = "proj_size argument is only supported for LSTM, not RNN or GRU"


def _refuse_projection(arguments: dict) -> None:
    if "proj_size" in arguments:
        raise ValueError(_PROJECTED)


def _check_arguments(
    mode: str,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bias: bool,
    batch_first: bool,
    dropout: float,
    proj_size: int,
) -> None:
    """Raise what torch raises, in its order; warn where it warns."""
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
            f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    flags = [("bias", bias, bool), ("batch_first", batch_first, bool)]
    sizes = [("input_size", input_size, int), ("hidden_size", hidden_size, int), ("proj_size", proj_size, int)]
    for name, given, kind in flags + sizes:
        if not isinstance(given, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(given).__name__}")
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if size <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size and mode != "LSTM":
        raise ValueError(_PROJECTED)
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
