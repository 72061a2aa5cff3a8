"""ONNX Runtime as a contender: a graph of one GRU or LSTM step, fed with the state it returned before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import ostinato

_ORDER = {"GRU": "zrn", "LSTM": "iofg"}
"""ONNX's order of the gates, by the letters of ours."""


def step(name: str, cell: ostinato.EquationCell, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from an input (1, 1, D) to the output (1, 1, H) that carries the state."""
    size = cell.hidden_size
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    graph = _model(name, cell).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    states = ["h", "c"] if name == "LSTM" else ["h"]
    wanted = [f"{state}_after" for state in states]
    feed = {state: np.zeros((1, 1, size), np.float32) for state in states}

    def advance(x: np.ndarray) -> np.ndarray:
        feed["x"] = x
        for state, value in zip(states, session.run(wanted, feed), strict=True):
            feed[state] = value
        return feed["h"]

    return advance


def _model(name: str, cell: ostinato.EquationCell):
    size, states = cell.hidden_size, ["h", "c"] if name == "LSTM" else ["h"]
    values = {matrix: _gates(name, cell, matrix)[None] for matrix in "WU"}
    values["b"] = np.concatenate([_gates(name, cell, bias) for bias in "bd"])[None]
    attributes = {"hidden_size": size, **({"linear_before_reset": 1} if name == "GRU" else {})}
    node = helper.make_node(
        name, ["x", "W", "U", "b", "", *states], ["", *(f"{state}_after" for state in states)], **attributes
    )
    graph = helper.make_graph(
        [node],
        name,
        [_tensor("x", cell.input_size), *(_tensor(state, size) for state in states)],
        [_tensor(f"{state}_after", size) for state in states],
        [numpy_helper.from_array(value, label) for label, value in values.items()],
    )
    # the oldest versions that say all this, so that every runtime reads it
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def _gates(name: str, cell: ostinato.EquationCell, letter: str) -> np.ndarray:
    return np.concatenate([getattr(cell, f"{letter}_{gate}").detach().numpy() for gate in _ORDER[name]])


def _tensor(label: str, size: int):
    return helper.make_tensor_value_info(label, TensorProto.FLOAT, [1, 1, size])
