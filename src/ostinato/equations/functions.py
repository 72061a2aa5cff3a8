"""The table of functions equations may use. A new function is one new row.

A derivative is written in the same grammar as the equations, over the arguments `a`, `b`, `c`, the result `y`
and the gradient `g` that arrives at it; an empty text means that no gradient flows into that argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """One row: what a function is worth, how it is differentiated, how each reader spells it."""

    name: str
    derivatives: tuple[str, ...]
    numpy: Callable[..., Any]
    torch: str
    """Dotted name under `torch`, looked up once by the torch reader."""
    latex: str
    """Template over {0}, {1}, …"""
    kind: str = "elementwise"
    """elementwise | comparison | row (a vector to a vector) | reduction (a vector to one number)."""
    written: bool = True
    """Whether a user writes it by name (operators are not)."""
    expansion: str = ""
    """Of a row function, and of the mean: the same over `a`, of operations on single numbers and of reductions."""

    @property
    def arity(self) -> int:
        return len(self.derivatives)


EPSILON = 1e-5
"""Added to a variance before its square root, as `torch.nn.LayerNorm` does."""


def _sigmoid(a):
    return np.exp(-np.logaddexp(0.0, -a))


def _softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _layer_norm(a):
    d = a - a.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + EPSILON)


def _rms_norm(a):
    return a / np.sqrt((a * a).mean(-1, keepdims=True) + EPSILON)


def _row(*columns, **options) -> Function:
    return Function(*columns, **options)


_ROWS = [
    # name, derivatives, numpy, torch, latex
    _row("add", ("g", "g"), np.add, "add", "{0} + {1}", written=False),
    _row("sub", ("g", "-g"), np.subtract, "sub", "{0} - {1}", written=False),
    _row("mul", ("g * b", "g * a"), np.multiply, "mul", r"{0} \odot {1}", written=False),
    _row("div", ("g / b", "-(g * y) / b"), np.divide, "div", r"\frac{{{0}}}{{{1}}}", written=False),
    _row("neg", ("-g",), np.negative, "neg", "-{0}", written=False),
    _row("pow", ("g * b * a ** (b - 1)", ""), np.power, "pow", "{0}^{{{1}}}", written=False),
    _row("gt", ("", ""), np.greater, "gt", "{0} > {1}", kind="comparison", written=False),
    _row("ge", ("", ""), np.greater_equal, "ge", r"{0} \ge {1}", kind="comparison", written=False),
    _row("lt", ("", ""), np.less, "lt", "{0} < {1}", kind="comparison", written=False),
    _row("le", ("", ""), np.less_equal, "le", r"{0} \le {1}", kind="comparison", written=False),
    _row("sigmoid", ("g * y * (1 - y)",), _sigmoid, "sigmoid", r"\sigma({0})"),
    _row("tanh", ("g * (1 - y * y)",), np.tanh, "tanh", r"\tanh({0})"),
    _row("relu", ("where(a > 0, g, 0)",), lambda a: np.maximum(a, 0.0), "relu", r"\operatorname{{relu}}({0})"),
    _row(
        "softplus", ("g * sigmoid(a)",), lambda a: np.logaddexp(0.0, a), "nn.functional.softplus",
        r"\operatorname{{softplus}}({0})",
    ),
    _row(
        "silu", ("g * (sigmoid(a) + y * (1 - sigmoid(a)))",), lambda a: a * _sigmoid(a), "nn.functional.silu",
        r"\operatorname{{silu}}({0})",
    ),
    _row(
        "softsign", ("g / (1 + abs(a)) ** 2",), lambda a: a / (1 + np.abs(a)), "nn.functional.softsign",
        r"\operatorname{{softsign}}({0})",
    ),
    _row(
        "hard_sigmoid", ("where(abs(a) < 3, g / 6, 0)",), lambda a: np.clip(a / 6 + 0.5, 0.0, 1.0),
        "nn.functional.hardsigmoid", r"\operatorname{{hard\,sigmoid}}({0})",
    ),
    _row(
        "hard_tanh", ("where(abs(a) < 1, g, 0)",), lambda a: np.clip(a, -1.0, 1.0), "nn.functional.hardtanh",
        r"\operatorname{{hard\,tanh}}({0})",
    ),
    _row(
        "elu", ("where(a > 0, g, g * (y + 1))",), lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0.0))),
        "nn.functional.elu", r"\operatorname{{elu}}({0})",
    ),
    _row("exp", ("g * y",), np.exp, "exp", r"\exp({0})"),
    _row("log", ("g / a",), np.log, "log", r"\log({0})"),
    _row("sqrt", ("0.5 * g / y",), np.sqrt, "sqrt", r"\sqrt{{{0}}}"),
    _row("sin", ("g * cos(a)",), np.sin, "sin", r"\sin({0})"),
    _row("cos", ("-(g * sin(a))",), np.cos, "cos", r"\cos({0})"),
    _row("abs", ("g * sign(a)",), np.abs, "abs", r"\lvert {0} \rvert"),
    _row("sign", ("",), np.sign, "sign", r"\operatorname{{sign}}({0})"),
    _row(
        "maximum", ("where(a > b, g, where(a < b, 0, 0.5 * g))", "where(a < b, g, where(a > b, 0, 0.5 * g))"),
        np.maximum, "maximum", r"\max({0}, {1})",
    ),
    _row(
        "minimum", ("where(a < b, g, where(a > b, 0, 0.5 * g))", "where(a > b, g, where(a < b, 0, 0.5 * g))"),
        np.minimum, "minimum", r"\min({0}, {1})",
    ),
    _row(
        "where", ("", "where(a, g, 0)", "where(a, 0, g)"), np.where, "where",
        r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    ),
    _row(
        "clip_gradient", ("minimum(maximum(g, -b), b)", ""), lambda a, b: np.broadcast_arrays(a, b)[0],
        "ops.ostinato.clip_gradient", r"\operatorname{{clip}}_{{{1}}}({0})",
    ),
    _row(
        "softmax", ("y * (g - sum(g * y))",), _softmax, "softmax", r"\operatorname{{softmax}}({0})", kind="row",
        expansion="exp(a - largest(a)) / sum(exp(a - largest(a)))",
    ),
    _row(
        "layer_norm", (f"(g - mean(g) - y * mean(g * y)) / sqrt(mean((a - mean(a)) ** 2) + {EPSILON})",),
        _layer_norm, "nn.functional.layer_norm", r"\operatorname{{LN}}({0})", kind="row",
        expansion=f"(a - mean(a)) / sqrt(mean((a - mean(a)) ** 2) + {EPSILON})",
    ),
    _row(
        "rms_norm", (f"(g - y * mean(g * y)) / sqrt(mean(a ** 2) + {EPSILON})",),
        _rms_norm, "nn.functional.rms_norm", r"\operatorname{{RMS}}({0})", kind="row",
        expansion=f"a / sqrt(mean(a ** 2) + {EPSILON})",
    ),
    _row("sum", ("fill(g, a)",), lambda a: a.sum(-1, keepdims=True), "sum", r"\textstyle\sum({0})", kind="reduction"),
    _row(
        "mean", ("fill(g / count(a), a)",), lambda a: a.mean(-1, keepdims=True), "mean", r"\operatorname{{mean}}({0})",
        kind="reduction", expansion="sum(a) / count(a)",
    ),
    _row("largest", ("",), lambda a: a.max(-1, keepdims=True), "amax", r"\max({0})", kind="reduction", written=False),
]  # fmt: skip

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
WRITTEN: dict[str, Function] = {name: row for name, row in FUNCTIONS.items() if row.written}
ALIASES = {"σ": "sigmoid", "max": "maximum", "min": "minimum", "LN": "layer_norm"}
"""Spellings found in papers, read as the function they stand for."""
