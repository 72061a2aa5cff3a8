"""A cell that is its equations: parameters, shapes and the step all follow from the text."""

from __future__ import annotations

import copyreg
import functools
from collections.abc import Callable, Collection, Mapping
from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Cell, State
from ostinato.cells.definition import argument_of, define, size_numbers
from ostinato.cells.initialisers import Initialiser, initialise
from ostinato.cells.limits import POSITIVE_TIME, check_limits
from ostinato.equations import sizes as size_rules
from ostinato.equations.parse import parse
from ostinato.equations.program import Program
from ostinato.equations.storage import Stack, without_bias


class EquationCell(Cell):
    """One step of a recurrent network, from its equations.

    >>> class MinimalGated(EquationCell):
    ...     equations = '''
    ...         f  = sigmoid(W_f @ x + U_f @ h + b_f)
    ...         g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
    ...         h' = (1 - f) * h + f * g
    ...     '''
    >>> cell = MinimalGated(input_size=4, hidden_size=8)
    >>> cell.weight_ih.shape, cell.W_g.shape
    (torch.Size([16, 4]), torch.Size([8, 4]))

    `bias=False` leaves out the vectors that are only added to products. `initialisers` maps a symbol (`b_f`), a stored
    tensor (`weight_hh`) or a kind ("input", "recurrent", "bias", "other") to an initialiser's name or a number; a bare
    name is used for all. Further keywords give the constants the equations name, and size symbols other than D and H
    (`output_size` is O, `proj_size` is P).

    Raises EquationError where the text cannot be read, ConfigError where a size or keyword is not possible.
    """

    equations: str | Callable[..., str] = ""
    """The text; or a static method that writes it for whole numbers, which are keywords of the cell:
    `def equations(depth: int = 2) -> str`."""
    sizes: ClassVar[Mapping[str, str]] = {}
    initialisers: ClassVar[Mapping[str, Initialiser]] = {}
    """What a family starts from unless its maker is told otherwise."""
    frozen: ClassVar[Collection[str]] = ()
    """Symbols that are drawn and never trained: their tensors are buffers."""
    limits: ClassVar[Collection[str]] = ()
    """What sizes, constants and the time between steps must satisfy: "rank <= H", "epsilon > 0", "dt > 0"."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        initialisers: Initialiser | Mapping[str, Initialiser] = "uniform",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **values: Any,
    ):
        super().__init__()
        self.counts = {name: _count(name, values.pop(name, n)) for name, n in counts_of(type(self)).items()}
        check_limits(type(self).__name__, self.limits, self.counts)
        self.program = program_of(type(self), bias=bias, **self.counts)
        self.has_bias = bias
        self.constants, extra = _split_values(type(self).__name__, self.program, values, self.counts)
        numbers = size_numbers(self.program, input_size, hidden_size, extra)
        check_limits(type(self).__name__, self.limits, {**numbers, **self.constants})
        definition = define(self.program, numbers)
        self.input_size, self.hidden_size, self.output_size = numbers["D"], numbers["H"], definition.output_size
        self.definition = definition
        self._check_symbols()
        for stack in self.definition.stacks:
            tensor = torch.empty(self.definition.shape(stack), device=device, dtype=dtype)
            if self._is_frozen(stack):
                self.register_buffer(stack.name, tensor)
            else:
                self.register_parameter(stack.name, nn.Parameter(tensor))
        given = initialisers if isinstance(initialisers, Mapping) else {"": initialisers}
        whole = program_of(type(self), bias=True, **self.counts)
        left_out = whole.by_name.keys() - self.program.by_name.keys()
        own = {place: start for place, start in self.initialisers.items() if place not in left_out}
        self._initialisers, self._family_initialisers = given, own
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as the initialisers say."""
        tensors = {stack.name: getattr(self, stack.name) for stack in self.definition.stacks}
        initialise(self.definition, tensors, self._initialisers, self.hidden_size, self._family_initialisers)

    def resized(self, input_size: int, hidden_size: int) -> EquationCell:
        """Return a fresh cell of the same equations and settings, with other sizes."""
        numbers = self.definition.numbers
        extra = {
            argument_of(s): n
            for s, n in numbers.items()
            if s not in ("D", "H", "O") or (s == "O" and n != numbers.get("H"))
        }
        like = next(iter(self.state_dict().values()), None)  # of a cell that is never trained, all are buffers
        place = {} if like is None else {"device": like.device, "dtype": like.dtype}
        settings: dict[str, Any] = {**place, **self.constants, **self.counts, **extra}
        return type(self)(input_size, hidden_size, bias=self.has_bias, initialisers=self._initialisers, **settings)

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return zeros: a tensor (B, n) for one state, a named tuple of them for several."""
        return self.bind().initial_state(batch_size, device=device, dtype=dtype)

    def step(self, x: Tensor, state: State, dt: Tensor | None = None) -> tuple[Tensor, State]:
        """Take one step: x (B, D), the state before it, and dt (B,) where the equations use it."""
        return self.bind().step(x, state, dt)

    @property
    def uses_dt(self) -> bool:  # type: ignore[override]
        """Whether the equations use the time since the last step."""
        return self.program.uses_dt

    @property
    def needs_positive_dt(self) -> bool:  # type: ignore[override]
        """Whether time must pass between two steps."""
        return POSITIVE_TIME in self.limits

    def bind(self) -> BoundEquations:
        """Return the equations with this cell's tensors."""
        # by attribute, so that torch.nn.utils.parametrize (spectral norm, orthogonal, …) is seen
        tensors = {stack.name: getattr(self, stack.name) for stack in self.definition.stacks}
        return BoundEquations(self.definition, tensors, self.constants, self.needs_positive_dt)

    def __getattr__(self, name: str) -> Any:
        """Return a stored tensor, the rows of one that stand for a symbol, or a constant: `cell.W_f`, `cell.leak`."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in self.__dict__.get("constants", ()):
                return self.constants[name]
            definition = self.__dict__.get("definition")
            place = definition.symbols.get(name) if definition else None
            if place is None or place[0] == name:
                raise
            stack, start, length = place
            return cast(Tensor, getattr(self, stack)).narrow(0, start, length)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, or a constant of the equations within its limits.

        ConfigError for a symbol, which would hide the rows it stands for and change nothing.
        """
        if name in self.__dict__.get("constants", ()):
            constants = {**self.constants, name: _number(name, value)}
            check_limits(type(self).__name__, self.limits, {**self.definition.numbers, **self.counts, **constants})
            self.constants[name] = constants[name]
            return
        definition = self.__dict__.get("definition")
        place = definition.symbols.get(name) if definition else None
        if place is not None and place[0] != name:
            raise ConfigError(
                f"cell {type(self).__name__}",
                f"'{name}' was assigned",
                f"It stands for rows of {place[0]}",
                f"Write into them: with torch.no_grad(): cell.{name}.copy_(values)",
            )
        super().__setattr__(name, value)

    def extra_repr(self) -> str:
        return ", ".join(
            [
                f"{self.input_size}, {self.hidden_size}",
                *(f"{k}={v:g}" for k, v in (self.constants | self.counts).items()),
                *([] if self.has_bias else ["bias=False"]),
            ]
        )

    def _is_frozen(self, stack: Stack) -> bool:
        frozen = [symbol in self.frozen for symbol in stack.symbols]
        if any(frozen) and not all(frozen):
            raise ConfigError(
                f"cell {type(self).__name__}",
                f"{', '.join(stack.symbols)} are stored together, and only some are frozen",
                "What multiplies the same operand is one tensor",
                "Freeze all of them, or none",
            )
        return all(frozen)

    def _check_symbols(self) -> None:
        for parameter in self.program.parameters:
            if hasattr(EquationCell, parameter.name) or parameter.name in self.__dict__:
                raise ConfigError(
                    f"cell {type(self).__name__}",
                    f"the parameter '{parameter.name}' has the name of something every module has",
                    "",
                    "Choose another name for it",
                )


def cell(
    equations: str,
    input_size: int,
    hidden_size: int,
    *,
    sizes: Mapping[str, str] | None = None,
    **values: Any,
) -> EquationCell:
    """Return a cell from the text of its equations.

    >>> cell("h' = tanh(W @ x + U @ h + b)", input_size=32, hidden_size=128).weight_hh.shape
    torch.Size([128, 128])

    Keywords are those of `EquationCell`. Raises EquationError naming line and column where the text cannot be read.
    """
    return cell_class(equations, sizes)(input_size, hidden_size, **values)


def cell_class(equations: str, sizes: Mapping[str, str] | None = None, name: str = "Equations") -> type[EquationCell]:
    """Return a class of cells from the text of its equations; read at once, so that a mistake shows here."""
    if not isinstance(equations, str):
        parse(equations)  # says what was given instead of text
    return _class_of(equations, tuple(sorted((sizes or {}).items())), name)


@functools.lru_cache(maxsize=512)
def _class_of(equations: str, sizes: tuple[tuple[str, str], ...], name: str) -> type[EquationCell]:
    kind = type(
        name,
        (EquationCell,),
        {"equations": equations, "sizes": dict(sizes), "__doc__": equations, "__reduce__": _reduce_cell},
    )
    program_of(kind)
    return kind


def _reduce_cell(cell: EquationCell):
    """Pickle a cell whose class stands in no module: by the text it was made from."""
    kind = type(cell)
    if "__reduce__" not in vars(kind):  # a class of the user's own, below one made from a text
        return copyreg.__newobj__, (kind,), cell.__dict__  # type: ignore[attr-defined]
    return _empty_cell, (kind.equations, dict(kind.sizes), kind.__name__), cell.__dict__


def _empty_cell(equations: str, sizes: Mapping[str, str], name: str) -> EquationCell:
    kind = cell_class(equations, sizes, name)
    return kind.__new__(kind)


def program_of(kind: type[EquationCell], *, bias: bool = True, **counts: int) -> Program:
    """Return the program of a class of cells, with these whole numbers where its text has a choice of them."""
    text = text_of(kind, **counts)
    if not isinstance(text, str):
        parse(text)  # says what was given instead of text
    return _read(str(text), tuple(sorted(kind.sizes.items())), bias)


def text_of(kind: type[EquationCell], **counts: int) -> str:
    """Return the equations of a class of cells."""
    return kind.equations(**counts) if callable(kind.equations) else kind.equations


def counts_of(kind: type[EquationCell]) -> dict[str, int]:
    """Return the whole numbers that the equations of a class of cells are written for, and their defaults."""
    return (
        {p.name: p.default for p in signature(kind.equations).parameters.values()} if callable(kind.equations) else {}
    )


@functools.lru_cache(maxsize=512)
def _read(text: str, sizes: tuple[tuple[str, str], ...], bias: bool) -> Program:
    program = parse(text, dict(sizes))
    return program if bias else without_bias(program)


def _split_values(
    name: str, program: Program, values: Mapping[str, Any], counts: Collection[str]
) -> tuple[dict[str, float], dict[str, int]]:
    """Return (constants, sizes) from a cell's keywords; ConfigError for a keyword that is neither."""
    constants = {i.name: float(i.default or 0.0) for i in program.role("constant")}
    symbols = {argument_of(s) for e in program.by_name.values() for size in e.shape for s in size_rules.symbols(size)}
    taken = {*signature(EquationCell.__init__).parameters, *(symbols & constants.keys())}
    for key in taken & {*constants, *(symbols - {"input_size", "hidden_size"})}:
        raise ConfigError(f"cell {name}", f"'{key}' names two settings", "", "Give the constant or size another name")
    extra = {}
    for key, given in values.items():
        if key in constants:
            constants[key] = _number(key, given)
        elif key in symbols:
            extra[key] = given
        else:
            known = sorted({*constants, *symbols, *counts, "bias", "initialisers", "device", "dtype"})
            raise ConfigError(
                f"cell {name}",
                f"unknown keyword '{key}'",
                f"Known are {', '.join(known)}",
                did_you_mean(key, known),
            )
    return constants, extra


def _count(name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
        raise ConfigError(name, f"{given!r} was given", "It is a whole number, at least 1", "")
    return int(given)


def _number(name: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, Real):
        raise ConfigError(name, f"{given!r} was given", "A constant is a number", "")
    return float(given)
