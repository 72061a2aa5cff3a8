"""A program whose sizes are numbers: what all cells of one kind and size share."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.equations import sizes as size_rules
from ostinato.equations.hoist import hoist
from ostinato.equations.program import Program
from ostinato.equations.storage import Stack, fuse, stacks
from ostinato.equations.torch_reader import compile_torch
from ostinato.equations.written import read, write


class Definition:
    """A program whose sizes are numbers: what all cells of one kind and size share."""

    def __init__(self, program: Program, numbers: Mapping[str, int], entries: tuple[Stack, ...] | None = None):
        """`entries` are the stored tensors, of a program that was made of another one whose tensors are kept."""
        self.program, self.numbers, self._entries = program, dict(numbers), entries
        self.text = write(program, numbers, entries)
        self.stacks: tuple[Stack, ...] = stacks(program) if entries is None else entries
        self.widths = {i.name: self._number(i.shape[0]) for i in program.inputs if i.role in ("input", "mask")}
        """What comes in side by side at every step, and its sizes: x, and masks behind it."""
        self.states = {s.name: self._number(s.shape[0]) for s in program.states}
        self.output_size = self._number(program.shape(program.output("y"))[0])
        self.state_type = _state_type(tuple(self.states)) if len(self.states) > 1 else None
        self.symbols = {
            symbol: (stack.name, self._number(start) if start else 0, self._number(size))
            for stack in self.stacks if stack.shape
            for symbol, start, size in stack.starts()
        }  # fmt: skip

    @functools.cached_property
    def fused(self) -> Program:
        """The program over the stored tensors."""
        return fuse(self.program, self.stacks)

    @functools.cached_property
    def run_step(self):
        return compile_torch(self.fused, self.numbers)

    @functools.cached_property
    def hoisted(self):
        """(labels, run) of what leaves the loop, and the run of what stays."""
        before, loop = hoist(self.fused)
        labels = [label for label, _ in before.outputs]
        return labels, compile_torch(before, self.numbers), compile_torch(loop, self.numbers)

    def shape(self, stack: Stack) -> tuple[int, ...]:
        return tuple(self._number(size) for size in stack.shape)

    def parts(self, data: Tensor) -> dict[str, Tensor]:
        """Return what stands side by side in the rows that come in, by name."""
        if len(self.widths) == 1:
            return {"x": data}
        return dict(zip(self.widths, data.split(list(self.widths.values()), -1), strict=True))

    def pack_state(self, values: Sequence[Tensor]) -> State:
        return values[0] if self.state_type is None else self.state_type(*values)

    def state_values(self, state: State) -> Sequence[Tensor]:
        return (state,) if self.state_type is None else tuple(state)

    def __reduce__(self):
        return define, (self.program, self.numbers, self._entries)

    def _number(self, size: str) -> int:
        return size_rules.value(size, self.numbers)


@functools.lru_cache(maxsize=512)
def _define(program: Program, numbers: tuple[tuple[str, int], ...], entries: tuple[Stack, ...] | None) -> Definition:
    return Definition(program, dict(numbers), entries)


def define(program: Program, numbers: Mapping[str, int], entries: tuple[Stack, ...] | None = None) -> Definition:
    """Return the definition of a program at these sizes (one object for equal ones)."""
    return _define(program, tuple(sorted(numbers.items())), entries)


@functools.lru_cache(maxsize=512)
def definition_of(text: str) -> Definition:
    """Return the definition that has this text."""
    return define(*read(text))


@functools.cache
def _state_type(names: tuple[str, ...]) -> Any:
    kind = namedtuple("State", names)  # type: ignore[misc]
    kind.__reduce__ = _reduce_state  # type: ignore[method-assign]  # the class stands in no module
    # an exported model whose state this is can then be saved
    pytree._register_namedtuple(kind, serialized_type_name=f"ostinato.State({', '.join(names)})")
    return kind


def _reduce_state(state: Any):
    return _state, (state._fields, tuple(state))


def _state(names: tuple[str, ...], values: Sequence[Tensor]) -> State:
    return _state_type(names)(*values)


def size_numbers(program: Program, input_size: int, hidden_size: int, extra: Mapping[str, int]) -> dict[str, int]:
    """Return a number for each size symbol of a program; ConfigError where one is missing or not possible."""
    shapes = [e.shape for e in program.by_name.values()]
    used = {symbol for shape in shapes for size in shape for symbol in size_rules.symbols(size)} | {"D"}
    numbers = {"D": whole("input_size", input_size), "H": whole("hidden_size", hidden_size)}
    for symbol in sorted(used - {"D", "H"}):
        given = extra.get(argument_of(symbol), hidden_size if symbol == "O" else None)
        if given is None:
            raise ConfigError(
                f"size {symbol}",
                "no number was given for it",
                f"The equations use the sizes {', '.join(sorted(used))}",
                f"Pass {argument_of(symbol)}=…",
            )
        numbers[symbol] = whole(argument_of(symbol), given)
    for shape in shapes:
        for size in shape:
            try:
                size_rules.value(size, numbers)
            except ValueError as error:
                raise ConfigError(f"size {size}", str(error), "", "Choose a size that divides") from None
    if program.states[0].shape == ("D",) and "H" not in used and hidden_size != input_size:
        raise ConfigError(
            "hidden_size",
            f"{hidden_size}, with input_size {input_size}",
            "These equations add x to the state, so both are equal",
            f"Pass hidden_size={input_size}",
        )
    return numbers


def needed_sizes(program: Program) -> list[str]:
    """Return the keywords a cell of this program cannot do without, besides input_size and hidden_size."""
    shapes = [e.shape for e in program.by_name.values()]
    used = {symbol for shape in shapes for size in shape for symbol in size_rules.symbols(size)}
    return [argument_of(symbol) for symbol in sorted(used - {"D", "H", "O"})]


def whole(name: str, number: object) -> int:
    """Return a size as a number; ConfigError where it is none, or below 1."""
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise ConfigError(name, f"{number!r} was given", "A size is a whole number", "")
    if number < 1:
        raise ConfigError(name, f"{number} was given", "A size is at least 1", "")
    return int(number)


def argument_of(symbol: str) -> str:
    """Return the keyword that gives a size its number."""
    return size_rules.ARGUMENT_OF.get(symbol, symbol)
