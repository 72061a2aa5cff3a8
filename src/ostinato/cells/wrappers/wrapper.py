"""What all wrappers have in common: a cell around a cell, which engines see as one.

A wrapper around equations is equations again (docs/design/0006-wrappers.md): it writes the program of the cell inside
anew, and binds it with the same tensors. Around a plain cell it is a plain step again. What is left to chance is drawn
in `begin`, once a call: masks ride beside the input, where every engine finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, cast

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import Bound, BoundCell, Cell, State
from ostinato.cells.definition import Definition, define
from ostinato.cells.wrappers.chance import Mask, check_generator
from ostinato.equations.program import Program
from ostinato.equations.rewriting import with_numbers
from ostinato.equations.storage import Stack


@dataclass(frozen=True)
class Change:
    """What a wrapper makes of a program: the new one, and what it takes besides what the old one takes."""

    program: Program
    masks: tuple[Mask, ...] = ()
    """In the order in which the program takes them."""
    constants: Mapping[str, float] = field(default_factory=dict)
    entries: Mapping[Stack, str] = field(default_factory=dict)
    """Stored tensors that the wrapper has itself, and as which attribute."""


@dataclass(frozen=True)
class Layer:
    """What a wrapper does to the step of a plain cell."""

    function: Callable[..., tuple[Tensor, State]]
    """A function of a module: (take, x, masks, state, dt, settings, tensors) to (output, state), where
    `take(x, state)` is the step inside. It knows nothing but what it is given."""
    settings: tuple[Any, ...] = ()
    """Numbers and texts."""
    masks: tuple[Mask, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    output_size: int | None = None
    """Where it is another one than inside."""


@dataclass(frozen=True)
class _Form:
    """The definition inside, in one mode, and what became of it."""

    inner: Definition
    training: bool
    definition: Definition
    masks: tuple[Mask, ...]
    constants: Mapping[str, float]
    attributes: Mapping[str, str]
    """Stored tensor -> attribute of the wrapper."""


class Wrapper(Cell):
    """A cell around `inner`. Wrappers define `change` for equations and `layer` for plain cells.

    Sizes, starting state and `dt` are those of the cell inside.
    """

    inner: Cell
    is_random = False
    """Whether it draws anything while training."""

    def __init__(self, inner: Cell, generator: torch.Generator | None = None, **settings: Any):
        super().__init__()
        if not isinstance(inner, Cell):
            given = f"the class {inner.__name__}" if isinstance(inner, type) else type(inner).__name__
            raise ConfigError(
                type(self).__name__,
                f"{given} was given",
                "It stands around a cell, with sizes",
                f"Write {type(self).__name__}(ostinato.LSTM(input_size, hidden_size), …)",
            )
        check_generator(generator)
        self.inner, self.generator = inner, generator
        self._settings = settings
        self._form: _Form | None = None
        self.input_size, self.hidden_size = inner.input_size, inner.hidden_size
        self.output_size = inner.output_size

    # ---- what a wrapper defines

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Return what becomes of the program inside, whose sizes are numbers; None where it stays as it is."""
        return None

    def layer(self, bound: BoundCell) -> Layer | None:
        """Return what becomes of the step of a plain cell; None where it stays as it is."""
        return None

    def drawn(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return those of the tensors inside that chance changes, as one call takes them."""
        return {}

    # ---- a cell as any other

    @property
    def draws(self) -> bool:  # type: ignore[override]
        """Whether a call draws by chance: while training, here or inside."""
        return self.inner.draws or (self.training and self.is_random)

    @property
    def uses_dt(self) -> bool:  # type: ignore[override]
        """What the wrapped cell says."""
        return self.inner.uses_dt

    @property
    def needs_positive_dt(self) -> bool:  # type: ignore[override]
        """What the wrapped cell says."""
        return self.inner.needs_positive_dt

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return the wrapped cell's starting state."""
        return self.inner.initial_state(batch_size, device=device, dtype=dtype)

    def step(self, x: Tensor, state: State, *dt: Tensor) -> tuple[Tensor, State]:
        """Take one step. What is left to chance is drawn for this step alone; `unroll` draws for a whole sequence."""
        bound, inputs = self.begin(x[None])
        return bound.over(inputs[0], dt[0] if dt else None, [len(x)])(0, state)

    def bind(self) -> Bound:
        """Return what engines run, nothing drawn yet."""
        return self._around(self.inner.bind(), draw=False)[0]

    def begin(self, inputs: Tensor) -> tuple[Bound, Tensor]:
        """Return what engines run for one call, and its inputs (T, B, D) with the masks beside them."""
        bound, inputs = self.inner.begin(inputs)
        made, masks = self._around(bound, draw=True)
        if not masks:
            return made, inputs
        steps, rows = inputs.shape[:2]
        drawn = [mask.draw(steps, rows, inputs, self.generator) for mask in masks]
        return made, torch.cat([inputs, *drawn], -1)

    def train(self, mode: bool = True):
        """Set the mode, here and inside."""
        super().train(mode)
        self.prepare()
        return self

    def resized(self, input_size: int, hidden_size: int) -> Wrapper:
        """Return the same around a cell of other sizes; both draw from the same generator."""
        if not hasattr(self.inner, "resized"):
            raise ConfigError(
                type(self).__name__,
                f"it stands around a {type(self.inner).__name__}, which has no resized(input_size, hidden_size)",
                "A cell that is passed is used once",
                "Give its class that method, or build each layer's cell yourself",
            )
        inner = self.inner.resized(input_size, hidden_size)  # type: ignore[operator]
        settings = self._settings if self.generator is None else {**self._settings, "generator": self.generator}
        return type(self)(inner, **settings)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._settings.items())

    # ---- how it is done

    def prepare(self) -> None:
        """Work out, once for each mode, what the program inside becomes."""
        bound = self.inner.bind()
        if isinstance(bound, BoundEquations):
            self._form_of(bound.definition)
        else:
            self.layer(cast(BoundCell, bound))

    def _around(self, bound: Bound, *, draw: bool) -> tuple[Bound, Sequence[Mask]]:
        if isinstance(bound, BoundEquations):
            return self._around_equations(bound, draw)
        assert isinstance(bound, BoundCell)
        layer = self.layer(bound)
        if layer is None:
            return bound, ()
        is_drawn = draw and self.training and self.is_random
        drawn = self.drawn(tensors_of(bound.cell)) if is_drawn else {}
        made = BoundCell(_Step(bound.cell, layer, drawn))
        made.initial_state = bound.initial_state  # type: ignore[method-assign]
        return made, layer.masks

    def _around_equations(self, bound: BoundEquations, draw: bool) -> tuple[Bound, Sequence[Mask]]:
        form = self._form_of(bound.definition)
        tensors = {**bound.tensors, **{name: getattr(self, own) for name, own in form.attributes.items()}}
        if draw and self.training and self.is_random:
            tensors |= self.drawn(dict(bound.tensors))
        constants = {**bound.constants, **form.constants}
        if form.definition is not form.inner:
            tensors = {stack.name: tensors[stack.name] for stack in form.definition.stacks}
            constants = {c.name: constants[c.name] for c in form.definition.program.role("constant")}
        made = BoundEquations(form.definition, tensors, constants, bound.needs_positive_dt)
        made.initial_state = bound.initial_state  # type: ignore[method-assign]
        return made, form.masks

    def _form_of(self, definition: Definition) -> _Form:
        form = self._form
        if form is None or form.inner is not definition or form.training != self.training:
            form = self._form = self._changed(definition)
        return form

    def _changed(self, definition: Definition) -> _Form:
        program, entries = with_numbers(definition.program, definition.stacks, definition.numbers)
        change = self.change(definition, program)
        if change is None:
            return _Form(definition, self.training, definition, (), {}, {})
        taken, attributes, own = {*change.program.by_name, *(entry.name for entry in entries)}, {}, []
        for entry, attribute in change.entries.items():
            name = entry.name
            while name in taken:
                name += "_"
            taken.add(name)
            own.append(replace(entry, name=name))
            attributes[name] = attribute
        made = define(change.program, definition.numbers, (*entries, *own))
        return _Form(definition, self.training, made, change.masks, change.constants, attributes)


class _Step(Cell):
    """The step of a plain cell inside a wrapper: it takes masks beside its input."""

    def __init__(self, inner: Cell, layer: Layer, drawn: Mapping[str, Tensor]):
        super().__init__()
        self.inner, self.function, self.settings = inner, layer.function, layer.settings
        self.widths = (inner.input_size, *(mask.size for mask in layer.masks))
        self.input_size, self.hidden_size = sum(self.widths), inner.hidden_size
        self.output_size = layer.output_size or inner.output_size
        self.uses_dt, self.needs_positive_dt = inner.uses_dt, inner.needs_positive_dt
        self.training = inner.training
        self.own, self.names = len(layer.tensors), tuple(drawn)
        self.paths = tuple(_path(inner, name) for name in drawn)
        for k, tensor in enumerate((*layer.tensors, *drawn.values())):
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(f"tensor_{k}", tensor)
            else:  # of a kind that `functional_call` of a wrapper around this one can change again
                self.register_buffer(f"tensor_{k}", tensor)

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> State:
        """Return the wrapped cell's starting state."""
        return self.inner.initial_state(batch_size, device=device, dtype=dtype)

    def step(self, x: Tensor, state: State, *dt: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        x, *masks = x.split(self.widths, -1) if len(self.widths) > 1 else (x,)
        tensors = [getattr(self, f"tensor_{k}") for k in range(self.own + len(self.names))]

        def take(x: Tensor, state: State) -> tuple[Tensor, State]:
            if not self.names:
                return self.inner.step(x, state, *dt)
            swapped = dict(zip(self.paths, tensors[self.own :], strict=True))
            return torch.func.functional_call(self.inner, swapped, (x, state, *dt))

        return self.function(take, x, masks, state, self.settings, tensors[: self.own])


def plain_cell(cell: Cell) -> Cell:
    """Return the plain cell that steps of wrappers stand around."""
    while isinstance(cell, _Step):
        cell = cell.inner
    return cell


def tensors_of(cell: Cell) -> dict[str, Tensor]:
    """Return the parameters of a plain cell, as the wrappers around it have drawn them."""
    names = dict(plain_cell(cell).named_parameters())
    return {name: attrgetter(_path(cell, name))(cell) for name in names}


def _path(cell: Cell, name: str) -> str:
    """Return where a step of wrappers finds a parameter of the plain cell: the outermost place where it is drawn."""
    path = ""
    while isinstance(cell, _Step):
        if name in cell.names:
            return f"{path}tensor_{cell.own + cell.names.index(name)}"
        path, cell = f"{path}inner.", cell.inner
    return path + name
