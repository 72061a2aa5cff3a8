"""Initialisers by name: how a cell's parameters start.

A cell's setting maps a symbol, a stored tensor or a kind of parameter to one of these names, or to a number. Names take
numbers of their own: "normal(0.001)". A bare name is for the whole cell, and several are joined by "+":
"orthogonal + forget_bias".
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.ring import ring
from ostinato.equations.gates import entered, time_gates

if TYPE_CHECKING:
    from ostinato.cells.definition import Definition

Initialiser = str | float | Callable[[Tensor, int], None]
"""A name, a number, or what fills a tensor, given the hidden size as well."""
KINDS = ("input", "recurrent", "bias", "other")


def _uniform(tensor: Tensor, hidden_size: int, bound: float | None = None) -> None:
    """Uniform on ±bound; without one on ±1/√H, as `torch.nn` draws every parameter of a recurrent layer."""
    bound = 1 / math.sqrt(hidden_size) if bound is None else _above_zero("uniform", bound)
    tensor.uniform_(-bound, bound)


def _between(tensor: Tensor, hidden_size: int, low: float, high: float) -> None:
    """Uniform from low to high."""
    if not low < high:
        raise ConfigError("initialisers", f"between({low:g}, {high:g})", "The second number is above the first")
    tensor.uniform_(low, high)


def _normal(tensor: Tensor, hidden_size: int, deviation: float) -> None:
    """Normal around zero, with this standard deviation."""
    tensor.normal_(0, _above_zero("normal", deviation))


def _orthogonal(tensor: Tensor, hidden_size: int, gain: float = 1.0) -> None:
    """A random rotation (Saxe et al., 2014, arXiv:1312.6120), times a gain; what is no matrix starts at zero."""
    if tensor.dim() == 2:
        wide = torch.promote_types(tensor.dtype, torch.float32)  # torch factors no matrix of narrower numbers
        tensor.copy_(nn.init.orthogonal_(torch.empty_like(tensor, dtype=wide), gain))
    else:
        tensor.zero_()


def _identity(tensor: Tensor, hidden_size: int, scale: float = 1.0) -> None:
    """The identity (Le, Jaitly and Hinton, 2015, arXiv:1504.00941), scaled; what is no matrix starts at zero."""
    nn.init.eye_(tensor).mul_(scale) if tensor.dim() == 2 else tensor.zero_()


def _glorot(tensor: Tensor, hidden_size: int) -> None:
    """Uniform on ±√(6 / (rows + columns)) (Glorot and Bengio, 2010, eq. 16); what is no matrix starts at zero."""
    nn.init.xavier_uniform_(tensor) if tensor.dim() == 2 else tensor.zero_()


def _lecun(tensor: Tensor, hidden_size: int) -> None:
    """Normal, its variance 1 / columns (LeCun et al., 1998, eq. 16); what is no matrix starts at zero."""
    tensor.normal_(0, tensor.shape[1] ** -0.5) if tensor.dim() == 2 else tensor.zero_()


def _rows_adding_to(tensor: Tensor, hidden_size: int, total: float) -> None:
    """One number all over a matrix, each of whose rows adds up to the total."""
    tensor.fill_(total / tensor.shape[-1])


def _zeros(tensor: Tensor, hidden_size: int) -> None:
    """Zero."""
    tensor.zero_()


def _spectral_radius(tensor: Tensor, hidden_size: int, radius: float = 1.0) -> None:
    """Normal, scaled so that the largest absolute eigenvalue is the radius (Jaeger, 2001, GMD report 148).

    A vector is taken for the diagonal of a matrix.
    """
    _above_zero("spectral_radius", radius)
    drawn = torch.randn(tensor.shape, dtype=torch.float64)
    if tensor.dim() == 2:
        _check_square("spectral_radius", tensor)
        drawn *= radius / torch.linalg.eigvals(drawn).abs().max()
    else:
        drawn *= radius / drawn.abs().max()
    tensor.copy_(drawn)


def _unitary(tensor: Tensor, hidden_size: int) -> None:
    """Pairs of units, each pair turned by an angle uniform on ±π (Henaff, Szlam and LeCun, 2016, arXiv:1602.06662).

    In complex numbers it is a diagonal matrix of numbers of length 1, drawn uniformly. A last unit without a partner is
    kept as it is; what is no matrix starts at zero.
    """
    tensor.zero_()
    if tensor.dim() == 2:
        _check_square("unitary", tensor)
        angles = torch.rand(len(tensor) // 2, dtype=torch.float64) * 2 * math.pi - math.pi
        turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], -1).view(-1, 2, 2)
        rest = [torch.ones(1, 1, dtype=torch.float64)] * (len(tensor) % 2)
        tensor.copy_(torch.block_diag(*turns, *rest))


def _critical(tensor: Tensor, hidden_size: int, gain: float = 1.0) -> None:
    """Normal, its variance gain² / columns, at the edge of chaos: what is near stays near, on average, for a step.

    Without a number the gain is √(1 / mean φ'²) of the function φ that the products enter, for small states or biases
    of zero: 1 for tanh (Sompolinsky, Crisanti and Sommers, 1988, doi:10.1103/PhysRevLett.61.259), √2 for relu (He et
    al., 2015, arXiv:1502.01852, eq. 10), as for deep networks (Poole et al., 2016, arXiv:1606.05340).
    What is no matrix starts at zero.
    """
    _above_zero("critical", gain)
    tensor.normal_(0, gain * tensor.shape[1] ** -0.5) if tensor.dim() == 2 else tensor.zero_()


INITIALISERS: dict[str, Callable[..., None]] = {
    "uniform": _uniform, "between": _between, "normal": _normal, "orthogonal": _orthogonal, "identity": _identity,
    "glorot": _glorot, "lecun": _lecun, "rows_adding_to": _rows_adding_to, "zeros": _zeros,
    "spectral_radius": _spectral_radius, "unitary": _unitary, "critical": _critical,
}  # fmt: skip
"""What fills one tensor: functions of (tensor, hidden size, numbers in the brackets)."""
CRITICAL_GAINS = {"tanh": 1.0, "hard_tanh": 1.0, "softsign": 1.0, "sin": 1.0, "": 1.0, "relu": math.sqrt(2)}


def normal(deviation: float) -> Initialiser:
    """Return the name of an initialiser: normal around zero with this standard deviation."""
    return f"normal({deviation!r})"


def within(bound: float) -> Initialiser:
    """Return the name of an initialiser: uniform on ± this bound."""
    return f"uniform({bound!r})"


def between(low: float, high: float) -> Initialiser:
    """Return the name of an initialiser: uniform from `low` to `high`."""
    return f"between({low!r}, {high!r})"


def rows_adding_to(total: float) -> Initialiser:
    """Return the name of an initialiser: one number all over a matrix, each of whose rows adds up to `total`."""
    return f"rows_adding_to({total!r})"


def _rotating(definition: Definition, name: str) -> dict[str, Initialiser]:
    return {"recurrent": name, "input": "glorot", "bias": "zeros", "other": "uniform"}


def _forget_bias(definition: Definition, name: str, value: float = 1.0) -> dict[str, Initialiser]:
    """Open the gate called f (Gers, Schmidhuber and Cummins, 2000; Jozefowicz, Zaremba and Sutskever, 2015).

    Its biases add up to the number.
    """
    present: dict[str, Initialiser] = {b: v for b, v in {"b_f": value, "d_f": 0.0}.items() if b in definition.symbols}
    if not present:
        raise ConfigError("initialisers", f"'{name}'", "This cell has no parameter b_f, the bias of a gate called f")
    return present


def _chrono(definition: Definition, name: str, *times: float) -> dict[str, Initialiser]:
    """Gates that keep a state for times between the first number (or 1) and the last (Tallec and Ollivier, 2018).

    With T drawn uniformly from there to the last number less 1, the bias of a gate that keeps a state is log T, and
    those of the gates that let something new into it are -log T (arXiv:1804.11188, §2); further biases of the same
    gates are zero. Which gate does what is found in the equations.
    """
    low, high = (1.0, *times)[-2:] if 1 <= len(times) <= 2 else (0.0, 0.0)
    if not 1 <= low < high - 1:
        raise ConfigError(
            "initialisers",
            f"'{name}'",
            "Its numbers are the shortest time, at least 1, and the longest, more than one step longer",
            "Write chrono(100) or chrono(1, 100)",
        )
    found: dict[str, Initialiser] = {}
    for gates in time_gates(definition.program):
        first = next((gate.biases[0] for gate in gates if gate.biases), None)
        if first is None:
            continue
        size = definition.symbols[first][2]
        logs = torch.empty(size, dtype=torch.float64).uniform_(low, high - 1).log()
        for gate in gates:
            start = partial(_given, numbers=logs if gate.keeps else -logs)
            found |= dict.fromkeys(gate.biases, 0.0) | dict.fromkeys(gate.biases[:1], start)
    if not found:
        raise ConfigError(
            "initialisers",
            f"'{name}'",
            "This cell has no sigmoid with a bias that multiplies a state, as f in c' = f * c + i * g",
        )
    return found


def _ring(
    definition: Definition, name: str, r_min: float = 0.0, r_max: float = 1.0, max_phase: float = 2 * math.pi
) -> dict[str, Initialiser]:
    """Complex eigenvalues on a ring of the unit disc (Orvieto et al., 2023, arXiv:2303.06349, lemma 3.2)."""
    if not {"nu", "theta"} <= definition.symbols.keys():
        possible = "This cell has no nu and theta, the radius and the phase of eigenvalues as in lru"
        raise ConfigError("initialisers", f"'{name}'", possible)
    return ring(r_min, r_max, max_phase)


def _given(tensor: Tensor, hidden_size: int, numbers: Tensor) -> None:
    tensor.copy_(numbers)


SCHEMES: dict[str, Callable[..., dict[str, Initialiser]]] = {
    **dict.fromkeys(("orthogonal", "identity", "spectral_radius", "unitary", "critical"), _rotating),
    "forget_bias": _forget_bias,
    "chrono": _chrono,
    "ring": _ring,
}
"""What a bare name means for a whole cell, where it is not the same for all parameters."""
_ONLY_WHOLE = ("forget_bias", "chrono", "ring")


def initialise(
    definition: Definition,
    tensors: Mapping[str, Tensor],
    setting: Mapping[str, Initialiser],
    hidden_size: int,
    family: Mapping[str, Initialiser] | None = None,
) -> None:
    """Draw all parameters; ConfigError where `setting` names what does not exist.

    `family` is what such cells start from: a place there goes before a bare name that is for all of a kind, and after
    what is named in `setting`, or found in the equations for it.
    A stack whose symbols share one initialiser "uniform" is drawn whole, so that the same seed gives torch's numbers.
    """
    places = {place: start for place, start in setting.items() if place}
    _check_places(definition, {**(family or {}), **places})
    with torch.no_grad():
        rest, kinds, symbols = _whole(definition, setting.get("", "uniform"))
        chosen = {**kinds, **(family or {}), **symbols, **places}
        starts = {place: _read(start) for place, start in chosen.items()}
        for stack in definition.stacks:
            tensor = tensors[stack.name]
            kind = _kind(definition, stack)
            own = {s: starts.get(s, starts.get(stack.name, starts.get(kind, rest))) for s in stack.symbols}
            if all(start == _UNIFORM for start in own.values()):
                _uniform(tensor, hidden_size)
                continue
            for symbol, start in own.items():
                first, length = definition.symbols[symbol][1:] if stack.shape else (0, 1)
                start.of(definition, symbol).fill(
                    tensor.narrow(0, first, length) if stack.shape else tensor, hidden_size
                )


def _whole(
    definition: Definition, setting: Initialiser
) -> tuple[_Start, dict[str, Initialiser], dict[str, Initialiser]]:
    """Return what a bare name means: for the rest, for kinds of parameters, and for symbols."""
    rest, kinds, symbols = _UNIFORM, {}, {}
    for part in setting.split("+") if isinstance(setting, str) else [setting]:
        start = _read(part, SCHEMES)
        if start.name not in SCHEMES:
            rest = start
            continue
        found = SCHEMES[start.name](definition, start.text, *(start.numbers if start.name in _ONLY_WHOLE else ()))
        (symbols if start.name in _ONLY_WHOLE else kinds).update(found)
    return rest, kinds, symbols


@dataclass(frozen=True)
class _Start:
    """An initialiser, read: a name with its numbers, a number, or a function."""

    name: str = ""
    numbers: tuple[float, ...] = ()
    function: Callable[[Tensor, int], None] | None = None
    text: str = ""

    def of(self, definition: Definition, symbol: str) -> _Start:
        """Return the same with what the equations say of a symbol."""
        if self.name != "critical" or self.numbers or len(definition.program.shape(symbol)) < 2:
            return self
        functions = entered(definition.program, symbol)
        if len(functions) != 1 or not functions <= CRITICAL_GAINS.keys():
            known = ", ".join(name for name in CRITICAL_GAINS if name)
            raise ConfigError(
                "initialisers",
                f"'critical' for {symbol}, whose products enter {', '.join(sorted(functions)) or 'nothing'}",
                f"The edge of chaos is known for {known}, and for a next state that is their sum",
                "Write the gain, as critical(1.2), or name the matrices it is for",
            )
        return _Start("critical", (CRITICAL_GAINS[functions.pop()],))

    def fill(self, tensor: Tensor, hidden_size: int) -> None:
        """Draw a tensor."""
        if self.function is not None:
            self.function(tensor, hidden_size)
        elif self.name:
            INITIALISERS[self.name](tensor, hidden_size, *self.numbers)
        else:
            tensor.fill_(self.numbers[0])


_UNIFORM = _Start("uniform", text="uniform")
_CALL = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*$")


def _read(start: Initialiser, more: Mapping[str, Callable[..., object]] | None = None) -> _Start:
    """Return what an initialiser says, names of `more` among those known; ConfigError where it says nothing."""
    if callable(start):
        return _Start(function=start)
    if not isinstance(start, str):
        if isinstance(start, bool) or not isinstance(start, Real):
            raise ConfigError("initialisers", f"{start!r} was given", "A name or a number is needed", "")
        return _Start(numbers=(float(start),))
    match = _CALL.match(start)
    name, inside = match.groups() if match else (start.strip(), None)
    known = {**INITIALISERS, **(more or {})}
    if name not in known or match is None:
        _refuse_unknown(name)
    numbers = tuple(_number(start, text) for text in inside.split(",")) if inside and inside.strip() else ()
    _check_count(name, INITIALISERS.get(name) or known[name], len(numbers))
    return _Start(name, numbers, text=start.strip())


def _refuse_unknown(name: str) -> None:
    if name in _ONLY_WHOLE:
        raise ConfigError(
            "initialisers",
            f"'{name}' for a part of a cell",
            "It says how a whole cell starts",
            f"""Write initialisers={{"": "{name}", …}}""",
        )
    names = [*dict.fromkeys([*INITIALISERS, *SCHEMES])]
    near = did_you_mean(name, names)
    raise ConfigError(
        "initialisers", f"unknown initialiser '{name}'", f"Known are {', '.join(names)}, or a number", near
    )


def _number(start: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError("initialisers", f"'{start}'", f"'{text.strip()}' is no number", "Write as in normal(0.01)")
    return number


def _check_count(name: str, function: Callable[..., object], count: int) -> None:
    """Refuse more numbers than an initialiser takes, or fewer."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    least = sum(p.default is p.empty for p in parameters)
    if not least <= count <= len(parameters):
        wanted = f"{name}({', '.join(p.name for p in parameters)})" if parameters else f"{name}, without numbers"
        raise ConfigError("initialisers", f"{name} with {count} numbers", f"It is written {wanted}")


def _check_places(definition: Definition, setting: Mapping[str, Initialiser]) -> None:
    places = [*KINDS, *(s.name for s in definition.stacks), *definition.symbols]
    for place in setting:
        if place not in places:
            raise ConfigError(
                "initialisers",
                f"'{place}' is no parameter of this cell",
                f"Possible are {', '.join(places)}",
                did_you_mean(place, places),
            )


def _kind(definition: Definition, stack) -> str:
    if len(stack.shape) == 2:
        return "input" if stack.operand == "x" else "recurrent"
    return "bias" if stack.is_bias else "other"


def _above_zero(name: str, number: float) -> float:
    if not number > 0:
        what = "A spectral radius" if name == "spectral_radius" else "It"
        raise ConfigError("initialisers", f"{name}({number:g})", f"{what} is a number above 0")
    return number


def _check_square(name: str, matrix: Tensor) -> None:
    if matrix.shape[0] != matrix.shape[1]:
        raise ConfigError(
            "initialisers",
            f"'{name}' for a matrix of {matrix.shape[0]} rows and {matrix.shape[1]} columns",
            "Only a square matrix has eigenvalues",
            "Use orthogonal, or name the square matrices it is for",
        )
