"""The cells that are measured: their equations as text, and the same step by hand for the peers.

A step by hand is written once over the operations that torch and JAX share (`op`), as a careful user of either would:
the products with the input are done before the loop, those with one operand stand in one matrix. It gets `a`, the
products with the input and the biases, the states, and the other weights; it returns the output and the new states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch

import ostinato
from ostinato.equations import sizes
from ostinato.equations.program import PRODUCTS


@dataclass(frozen=True)
class Text:
    """A cell and the same step by hand, with the symbols of the text in the order the step wants them in."""

    name: str
    equations: str
    step: Callable[..., tuple[Any, tuple]]
    inputs: tuple[str, ...]
    """The matrices in front of x, and below the biases of the same sums."""
    biases: tuple[str, ...]
    matrices: Mapping[str, tuple[str, ...]]
    vectors: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How the cell's parameters start, where that matters."""

    def build(self, size: int) -> ostinato.EquationCell:
        """Return a cell with as many units as inputs, the same one for the same size."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return ostinato.cell(self.equations, size, size, **self.settings)


def products(cell: ostinato.EquationCell) -> float:
    """Return how many products of H x H a step of this cell holds, those with the input among them."""
    numbers, program = cell.definition.numbers, cell.program
    matrices = [program.shape(op.args[0]) for op in program.ops if op.fn in PRODUCTS]
    return sum(prod(sizes.value(s, numbers) for s in shape) for shape in matrices) / cell.hidden_size**2


def weights(text: Text, cell: ostinato.EquationCell) -> dict[str, torch.Tensor]:
    """Return copies of a cell's parameters as the step by hand reads them: matrices (inputs, units), side by side."""
    stacks = {"W": text.inputs, **text.matrices}
    values = {name: torch.cat([getattr(cell, s).T for s in symbols], 1) for name, symbols in stacks.items()}
    if text.biases:
        values["b"] = torch.cat([getattr(cell, s) for s in text.biases])
    values |= {s: getattr(cell, s) for s in text.vectors}
    return {name: value.detach().clone().contiguous() for name, value in values.items()}


def _elman(op, a, state, w):
    (h,) = state
    h = op.tanh(a + h @ w["U"])
    return h, (h,)


def _lstm(op, a, state, w):
    h, c = state
    i, f, g, o = op.split(a + h @ w["U"], 4)
    c = op.sigmoid(f) * c + op.sigmoid(i) * op.tanh(g)
    h = op.sigmoid(o) * op.tanh(c)
    return h, (h, c)


def _gru(op, a, state, w):
    (h,) = state
    a_r, a_z, a_n = op.split(a, 3)
    r, z, n = op.split(h @ w["U"], 3)
    r, z = op.sigmoid(a_r + r), op.sigmoid(a_z + z)
    n = op.tanh(a_n + r * (n + w["d_n"]))
    h = (1 - z) * n + z * h
    return h, (h,)


def _reset_before(op, a, state, w):
    (h,) = state
    a_r, a_z, a_n = op.split(a, 3)
    r, z = op.split(h @ w["U"], 2)
    r, z = op.sigmoid(a_r + r), op.sigmoid(a_z + z)
    n = op.tanh(a_n + (r * h) @ w["U_n"])
    h = (1 - z) * n + z * h
    return h, (h,)


def _minimal_gated(op, a, state, w):
    (h,) = state
    a_f, a_g = op.split(a, 2)
    f = op.sigmoid(a_f + h @ w["U_f"])
    g = op.tanh(a_g + (f * h) @ w["U_g"])
    h = (1 - f) * h + f * g
    return h, (h,)


def _peephole_lstm(op, a, state, w):
    h, c = state
    i, f, g, o = op.split(a + h @ w["U"], 4)
    i, f = op.sigmoid(i + w["p_i"] * c), op.sigmoid(f + w["p_f"] * c)
    c = f * c + i * op.tanh(g)
    h = op.sigmoid(o + w["p_o"] * c) * op.tanh(c)
    return h, (h, c)


def _layer_norm_lstm(op, a, state, w):
    h, c = state
    i, f, g, o = (op.layer_norm(part) for part in op.split(a + h @ w["U"], 4))
    i, f = op.sigmoid(w["s_i"] * i + w["b_i"]), op.sigmoid(w["s_f"] * f + w["b_f"])
    g, o = op.tanh(w["s_g"] * g + w["b_g"]), op.sigmoid(w["s_o"] * o + w["b_o"])
    c = f * c + i * g
    h = o * op.tanh(w["s_c"] * op.layer_norm(c) + w["b_c"])
    return h, (h, c)


def _fast_and_slow(op, a, state, w):
    h, s = state
    a_f, a_n = op.split(a, 2)
    f = op.sigmoid(a_f + h @ w["U_f"] + s @ w["V_f"])
    n = op.tanh(a_n + (f * h) @ w["U_n"])
    h = f * h + (1 - f) * n
    s = 0.9 * s + (1 - 0.9) * op.softsign(h)
    return h, (h, s)


_ONE_BIAS = {"initialisers": {"": "uniform", "bias_hh": 0.0}}
"""Flax has one bias where torch has two; with the second at zero all compute the same."""

ELMAN = Text(
    "Elman", ostinato.Elman.equations, _elman, ("W",), ("b",), {"U": ("U",)},
    settings=_ONE_BIAS,
)  # fmt: skip
GRU = Text(
    "GRU", ostinato.GRU.equations, _gru, ("W_r", "W_z", "W_n"), ("b_r", "b_z", "b_n"), {"U": ("U_r", "U_z", "U_n")},
    vectors=("d_n",), settings=_ONE_BIAS,
)  # fmt: skip
LSTM = Text(
    "LSTM", ostinato.LSTM.equations, _lstm, ("W_i", "W_f", "W_g", "W_o"), ("b_i", "b_f", "b_g", "b_o"),
    {"U": ("U_i", "U_f", "U_g", "U_o")}, settings=_ONE_BIAS,
)  # fmt: skip

PEEPHOLE_LSTM = Text(
    "peephole LSTM",  # Gers and Schmidhuber (2000); Graves (2013, arXiv:1308.0850, eq. 7 to 11)
    """
    i  = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
    f  = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
    g  = tanh(W_g @ x + U_g @ h + b_g)
    c' = f * c + i * g
    o  = sigmoid(W_o @ x + U_o @ h + p_o * c' + b_o)
    h' = o * tanh(c')
    y  = h'
    """,
    _peephole_lstm,
    ("W_i", "W_f", "W_g", "W_o"),
    ("b_i", "b_f", "b_g", "b_o"),
    {"U": ("U_i", "U_f", "U_g", "U_o")},
    ("p_i", "p_f", "p_o"),
)
LAYER_NORM_LSTM = Text(
    "layer-norm LSTM",  # after Ba, Kiros and Hinton (2016, arXiv:1607.06450): each gate and the cell are normalised
    """
    i  = sigmoid(s_i * layer_norm(W_i @ x + U_i @ h) + b_i)
    f  = sigmoid(s_f * layer_norm(W_f @ x + U_f @ h) + b_f)
    g  = tanh(s_g * layer_norm(W_g @ x + U_g @ h) + b_g)
    o  = sigmoid(s_o * layer_norm(W_o @ x + U_o @ h) + b_o)
    c' = f * c + i * g
    h' = o * tanh(s_c * layer_norm(c') + b_c)
    y  = h'
    """,
    _layer_norm_lstm,
    ("W_i", "W_f", "W_g", "W_o"),
    (),
    {"U": ("U_i", "U_f", "U_g", "U_o")},
    ("s_i", "s_f", "s_g", "s_o", "s_c", "b_i", "b_f", "b_g", "b_o", "b_c"),
    {"initialisers": {"s_i": 1.0, "s_f": 1.0, "s_g": 1.0, "s_o": 1.0, "s_c": 1.0}},
)
MINIMAL_GATED = Text(
    "minimal gated",  # Zhou et al. (2016, arXiv:1603.09420)
    """
    f  = sigmoid(W_f @ x + U_f @ h + b_f)
    g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
    h' = (1 - f) * h + f * g
    """,
    _minimal_gated,
    ("W_f", "W_g"),
    ("b_f", "b_g"),
    {"U_f": ("U_f",), "U_g": ("U_g",)},
)
RESET_BEFORE = Text(
    "GRU, reset before",
    ostinato.CATALOGUE["gru-reset-before"].equations,
    _reset_before,
    ("W_r", "W_z", "W_n"),
    ("b_r", "b_z", "b_n"),
    {"U": ("U_r", "U_z"), "U_n": ("U_n",)},
)
FAST_AND_SLOW = Text(
    "fast and slow",  # in no paper: a gated state h beside a slow trace s of it, which opens and shuts its gate
    """
    leak = 0.9
    f  = sigmoid(W_f @ x + U_f @ h + V_f @ s + b_f)
    n  = tanh(W_n @ x + U_n @ (f * h) + b_n)
    h' = f * h + (1 - f) * n
    s' = leak * s + (1 - leak) * softsign(h')
    y  = h'
    """,
    _fast_and_slow,
    ("W_f", "W_n"),
    ("b_f", "b_n"),
    {"U_f": ("U_f",), "V_f": ("V_f",), "U_n": ("U_n",)},
)

TORCH_HAS = (GRU, ELMAN, LSTM)
OTHERS = (PEEPHOLE_LSTM, LAYER_NORM_LSTM, MINIMAL_GATED, RESET_BEFORE, FAST_AND_SLOW)
