"""Ostinato and PyTorch as contenders: a cell on an engine, `torch.nn`'s layers, a loop over a compiled step."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import ostinato
from benchmarks.problem import Problem, Run
from benchmarks.texts import Text, weights

LAYERS = {"GRU": nn.GRU, "LSTM": nn.LSTM, "Elman": nn.RNN}
OPERATIONS = SimpleNamespace(
    sigmoid=torch.sigmoid,
    tanh=torch.tanh,
    softsign=functional.softsign,
    layer_norm=lambda a: functional.layer_norm(a, a.shape[-1:]),
    split=lambda a, parts: a.chunk(parts, -1),
)


def ours(cell: ostinato.Cell, given: Problem, engine: str = "auto") -> Run:
    """Return Ostinato's run; EngineError or ConfigError where the engine cannot run it, before anything is timed."""
    ostinato.plan(cell, engine=engine)
    parameters = list(cell.parameters())

    def run():
        outputs, _ = ostinato.unroll(cell, given.inputs, lengths=given.lengths, dt=given.dt, engine=engine)
        return _with_gradients(outputs, given, parameters)

    return run


def torch_layer(name: str, cell: ostinato.Cell, size: int) -> nn.RNNBase:
    """Return the layer of `torch.nn` with a cell's weights."""
    layer = LAYERS[name](size, size)
    layer.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    return layer


def torch_nn(name: str, cell: ostinato.Cell, given: Problem) -> Run:
    """Return the run of `torch.nn`'s layer; ragged rows are packed before it and padded after it, as its users do."""
    layer = torch_layer(name, cell, given.inputs.shape[-1])
    parameters = list(layer.parameters())

    def run():
        if given.lengths is None:
            return _with_gradients(layer(given.inputs)[0], given, parameters)
        packed = pack_padded_sequence(given.inputs, given.lengths, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(layer(packed)[0], total_length=len(given.inputs))
        return _with_gradients(outputs, given, parameters)

    return run


def compiled_loop(text: Text, cell: ostinato.Cell, given: Problem, backend: str = "inductor") -> Run:
    """Return a Python loop over the step by hand under `torch.compile`; the first call of the run compiles."""
    torch._dynamo.reset()
    values = {name: value.requires_grad_() for name, value in weights(text, cell).items()}
    step = torch.compile(text.step, fullgraph=True, dynamic=False, backend=backend)
    parameters = list(values.values())
    states = len(cell.definition.states)

    def run():
        batch, size = given.inputs.shape[1:]
        before = functional.linear(given.inputs, values["W"].T, values.get("b"))
        # a state that wants a gradient from the first step on: the step is compiled once, not twice
        state = tuple(torch.zeros(batch, size, requires_grad=True) for _ in range(states))
        outputs = []
        for a in before.unbind(0):
            output, state = step(OPERATIONS, a, state, values)
            outputs.append(output)
        return _with_gradients(torch.stack(outputs), given, parameters)

    return run


def _with_gradients(outputs: Tensor, given: Problem, parameters: Sequence[Tensor]) -> tuple[Any, ...]:
    return outputs, *torch.autograd.grad(outputs, [given.inputs, *parameters], given.upstream)
