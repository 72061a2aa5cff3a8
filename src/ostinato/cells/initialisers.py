"""Initialisers by name: how a cell's parameters start.

A cell's setting maps a symbol, a stored tensor or a kind of parameter to one of these names, or to a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from ostinato.cells.definition import Definition

Initialiser = str | float | Callable[[Tensor, int], None]
"""A name, a number, or what fills a tensor, given the hidden size as well."""
KINDS = ("input", "recurrent", "bias", "other")


def _uniform(tensor: Tensor, hidden_size: int) -> None:
    """Uniform on ±1/√H, as `torch.nn` draws every parameter of a recurrent layer."""
    bound = 1 / math.sqrt(hidden_size)
    tensor.uniform_(-bound, bound)


def _orthogonal(tensor: Tensor, hidden_size: int) -> None:
    """A random rotation (Saxe et al., 2014, arXiv:1312.6120); what is no matrix starts at zero."""
    nn.init.orthogonal_(tensor) if tensor.dim() == 2 else tensor.zero_()


def _identity(tensor: Tensor, hidden_size: int) -> None:
    """The identity (Le, Jaitly and Hinton, 2015, arXiv:1504.00941); what is no matrix starts at zero."""
    nn.init.eye_(tensor) if tensor.dim() == 2 else tensor.zero_()


def _glorot(tensor: Tensor, hidden_size: int) -> None:
    """Uniform on ±√(6 / (rows + columns)) (Glorot and Bengio, 2010, eq. 16); what is no matrix starts at zero."""
    nn.init.xavier_uniform_(tensor) if tensor.dim() == 2 else tensor.zero_()


def _zeros(tensor: Tensor, hidden_size: int) -> None:
    """Zero."""
    tensor.zero_()


INITIALISERS: dict[str, Callable[[Tensor, int], None]] = {
    "uniform": _uniform, "orthogonal": _orthogonal, "identity": _identity, "glorot": _glorot, "zeros": _zeros,
}  # fmt: skip
SCHEMES: dict[str, dict[str, Initialiser]] = {
    "orthogonal": {"recurrent": "orthogonal", "input": "glorot", "bias": "zeros", "other": "uniform"},
    "identity": {"recurrent": "identity", "input": "glorot", "bias": "zeros", "other": "uniform"},
    "forget_bias": {"b_f": 1.0, "d_f": 0.0},
}
"""What a bare name means for a whole cell, where it is not the same for all parameters.

`forget_bias` opens the gate called f (Gers, Schmidhuber and Cummins, 2000; Jozefowicz, Zaremba and Sutskever, 2015):
its biases add up to 1.
"""


def normal(std: float) -> Initialiser:
    """Return an initialiser: normal around zero with this standard deviation."""
    return partial(_normal, std)


def within(bound: float) -> Initialiser:
    """Return an initialiser: uniform on ± this bound."""
    return partial(_within, bound)


def _normal(std: float, tensor: Tensor, hidden_size: int) -> None:
    tensor.normal_(std=std)


def _within(bound: float, tensor: Tensor, hidden_size: int) -> None:
    tensor.uniform_(-bound, bound)


def initialise(
    definition: Definition,
    tensors: Mapping[str, Tensor],
    setting: Mapping[str, Initialiser],
    hidden_size: int,
) -> None:
    """Draw all parameters; ConfigError where `setting` names what does not exist.

    A stack whose symbols share one initialiser "uniform" is drawn whole, so that the same seed gives torch's numbers.
    """
    chosen = {**setting}
    scheme = chosen.pop("", "uniform")
    chosen = {**_of_scheme(scheme, definition), **chosen}
    scheme = "uniform" if scheme == "forget_bias" else scheme
    _check(definition, chosen, scheme)
    with torch.no_grad():
        for stack in definition.stacks:
            tensor = tensors[stack.name]
            kind = _kind(definition, stack)
            names = {s: chosen.get(s, chosen.get(stack.name, chosen.get(kind, scheme))) for s in stack.symbols}
            if set(names.values()) == {"uniform"}:
                _uniform(tensor, hidden_size)
                continue
            for symbol, name in names.items():
                start, length = definition.symbols[symbol][1:] if stack.shape else (0, 1)
                _fill(tensor.narrow(0, start, length) if stack.shape else tensor, name, hidden_size)


def _of_scheme(scheme: Initialiser, definition: Definition) -> dict[str, Initialiser]:
    """Return what a bare name means for this cell; ConfigError where it has no forget gate to open."""
    settings = SCHEMES.get(scheme, {}) if isinstance(scheme, str) else {}
    present = {place: value for place, value in settings.items() if place in KINDS or place in definition.symbols}
    if settings and not present:
        raise ConfigError("initialisers", f"'{scheme}'", "This cell has no parameter b_f, the bias of a gate called f")
    return present


def _fill(part: Tensor, name: Initialiser, hidden_size: int) -> None:
    if isinstance(name, str):
        INITIALISERS[name](part, hidden_size)
    elif callable(name):
        name(part, hidden_size)
    else:
        part.fill_(float(name))


def _kind(definition: Definition, stack) -> str:
    if len(stack.shape) == 2:
        return "input" if stack.operand == "x" else "recurrent"
    return "bias" if stack.is_bias else "other"


def _check(definition: Definition, setting: Mapping[str, Initialiser], scheme: Initialiser) -> None:
    places = [*KINDS, *(s.name for s in definition.stacks), *definition.symbols]
    for place in setting:
        if place not in places:
            raise ConfigError(
                "initialisers",
                f"'{place}' is no parameter of this cell",
                f"Possible are {', '.join(places)}",
                did_you_mean(place, places),
            )
    for name in [scheme, *setting.values()]:
        if callable(name):
            continue
        if not isinstance(name, str) and (isinstance(name, bool) or not isinstance(name, Real)):
            raise ConfigError("initialisers", f"{name!r} was given", "A name or a number is needed", "")
        if isinstance(name, str) and name not in INITIALISERS:
            known = [*dict.fromkeys([*INITIALISERS, *SCHEMES])]
            raise ConfigError(
                "initialisers",
                f"unknown initialiser '{name}'",
                f"Known are {', '.join(known)}, or a number",
                did_you_mean(name, known),
            )
