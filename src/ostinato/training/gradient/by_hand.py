"""Any method on any module, without a run: `gradients` returns what it finds, `backward_over_time` fills `.grad`.

The loop both stand for:

    for window in method.windows(steps, 0):
        nats, _, state = method.accumulate(model, piece_of(window), window, state, backward)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.cell import Cell
from ostinato.layers.recurrent import Recurrent
from ostinato.training.config import Learning, TaskRun, override
from ostinato.training.gradient import names
from ostinato.training.gradient.backpropagation import Full
from ostinato.training.gradient.method import Method, State, cut

Loss = Callable[..., Tensor]
SETTINGS = ("k1", "k2", "lengths", "spacing", "memory_budget", "seed")
"""What `gradients` takes beside the name of a method; k1 is all steps unless given."""


class Update(NamedTuple):
    """What a window gave beside its gradient."""

    loss: Tensor
    """Summed over the steps learned from, cut from the graph."""
    state: State
    """What the method carries on: the module's state, and of a forward method its influence; `state` of a next call."""


class Gradients(NamedTuple):
    """What `gradients` found."""

    loss: Tensor
    """The loss summed over what was learned from, cut from the graph."""
    of: dict[str, Tensor]
    """Name of a parameter -> its gradient; zeros where nothing reaches it."""
    state: State
    """What the method carries on: the module's state, and of a forward method its influence; `state` of a next call."""


def gradients(
    module: nn.Module,
    inputs: Tensor,
    loss: Loss,
    targets: Tensor | None = None,
    *,
    method: str | Method = "full",
    state: State = None,
    reset: Tensor | None = None,
    dt: Tensor | None = None,
    **settings: Any,
) -> Gradients:
    """Return the gradient of a loss over time, taken by the method; no `.grad` changes.

    >>> import torch, ostinato
    >>> cell, inputs = ostinato.GRU(3, 8, dtype=torch.float64), torch.randn(20, 4, 3, dtype=torch.float64)
    >>> def loss(outputs):
    ...     return outputs.square().sum()
    >>> full = ostinato.gradients(cell, inputs, loss)
    >>> online = ostinato.gradients(cell, inputs, loss, method="rtrl")
    >>> all(torch.allclose(full.of[name], online.of[name]) for name in full.of)
    True
    >>> ostinato.gradients(cell, inputs, loss, method="truncated", k1=5, k2=10).of["weight_hh"].shape
    torch.Size([24, 8])

    module    a cell, `Recurrent`, or any module that takes (inputs, state) to (outputs, state), first None; forward
              methods also ask it for `initial_state(batch_size)`.
    inputs    (T, B, ...), as `reset`, `dt` and `targets`.
    loss      takes the outputs of some steps in a row, and the targets of these steps where there are any, to a number;
              the numbers of all pieces are summed, so it is a sum over steps.
    method    a name, as in `ostinato train … --gradient`, or a method; `settings` are those of the name: `k1`, `k2`,
              `lengths`, `spacing`, `memory_budget`, `seed`.

    Raises ConfigError for what the method cannot do.
    """
    _check_inputs(inputs)
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    before = {name: p.grad for name, p in parameters.items()}
    for p in parameters.values():
        p.grad = None
    total, way = torch.zeros((), device=inputs.device), _method(method, settings, len(inputs))
    try:
        for window in _windows(module, loss, Steps(inputs, targets, reset, dt), state, way):
            total, state = total + window.loss, window.state
        found = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in parameters.items()}
    finally:
        for name, p in parameters.items():
            p.grad = before[name]
    return Gradients(total, found, state)


def backward_over_time(
    module: nn.Module,
    inputs: Tensor,
    loss: Loss,
    targets: Tensor | None = None,
    *,
    method: str | Method = "truncated",
    state: State = None,
    reset: Tensor | None = None,
    dt: Tensor | None = None,
    **settings: Any,
) -> Iterator[Update]:
    """Add each window's gradient to `.grad` and yield its loss: the place to change the weights. As `gradients` says.

    >>> import torch, ostinato
    >>> layer = ostinato.Recurrent("indrnn", 2, 16)
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    >>> inputs, targets = torch.randn(30, 1, 2), torch.zeros(30, 1, 16)
    >>> losses = []
    >>> def loss(outputs, targets):
    ...     return (outputs - targets).square().sum()
    >>> for update in ostinato.backward_over_time(layer, inputs, loss, targets, method="rtrl", k1=1):
    ...     optimizer.step()
    ...     optimizer.zero_grad()
    ...     losses.append(float(update.loss))
    >>> len(losses)
    30
    """
    _check_inputs(inputs)
    way = _method(method, settings, len(inputs))
    return _windows(module, loss, Steps(inputs, targets, reset, dt), state, way)


class Steps(NamedTuple):
    """What a method reads of `T` steps."""

    inputs: Tensor
    targets: Tensor | None
    reset: Tensor | None
    dt: Tensor | None


class Learner(nn.Module):
    """A module and a loss on its outputs as methods ask for them: every step counts as one."""

    def __init__(self, module: nn.Module, loss: Loss):
        super().__init__()
        self.module, self.of_outputs = module, loss

    @property
    def recurrent(self) -> Any:
        """The layers that traces follow, None where they cannot: they need to know what the first layer reads."""
        if isinstance(self.module, Recurrent):
            return self.module
        return getattr(self.module, "recurrent", None) if hasattr(self.module, "inputs") else None

    def loss(self, segment: Steps, state: State = None) -> tuple[Tensor, int, State]:
        """Return the loss of some steps, their number, and the state after them."""
        outputs, state = self._run(segment, state)
        nats = self.of_outputs(outputs) if segment.targets is None else self.of_outputs(outputs, segment.targets)
        if not isinstance(nats, Tensor) or nats.dim():
            got = f"shape {tuple(nats.shape)}" if isinstance(nats, Tensor) else f"a {type(nats).__name__}"
            raise ConfigError("loss", got, "It takes outputs to one number, a tensor without dimensions")
        if torch.is_grad_enabled() and not nats.requires_grad:
            got = "a number that does not depend on the outputs"
            raise ConfigError("loss", got, "Its gradient is what is asked for", "Do not detach the outputs")
        return nats, self.count(segment), state

    def count(self, segment: Steps) -> int:
        """Return how many steps these are."""
        return segment.inputs.shape[0]

    def advance(self, segment: Steps, state: State = None) -> State:
        """Return the state after some steps."""
        return self._run(segment, state)[1]

    def inputs(self, segment: Steps) -> Tensor:
        """Return what the first layer reads."""
        return segment.inputs if self.module is self.recurrent else self.module.inputs(segment)  # type: ignore[operator]

    def initial_state(self, batch_size: int) -> State:
        """Return the module's own; ConfigError where it has none."""
        if not hasattr(self.module, "initial_state"):
            got = f"a {type(self.module).__name__} without initial_state"
            raise ConfigError("gradient", got, "Forward methods begin at initial_state(batch_size)", "Define it")
        return self.module.initial_state(batch_size)  # type: ignore[operator]

    def _run(self, steps: Steps, state: State) -> tuple[Tensor, State]:
        given = {name: v for name, v in (("reset", steps.reset), ("dt", steps.dt)) if v is not None}
        return self.module(steps.inputs, state, **given)


def _windows(module: nn.Module, loss: Loss, steps: Steps, state: State, way: Method) -> Iterator[Update]:
    """Yield each window, its gradient added."""
    layers = Recurrent(module) if isinstance(module, Cell) else module
    _check(steps, layers, way)
    learner, length = Learner(layers, loss), len(steps.inputs)
    period = way.period(length)
    for window in way.windows(length, 0):
        piece = cut(steps, window.position, window.position + window.length)
        # an update has the mean over its period; asked for is the sum
        nats, _, state = way.accumulate(learner, piece, window, state, lambda mean: (mean * period).backward())
        yield Update(nats, state)


def _method(method: str | Method, settings: dict[str, Any], steps: int) -> Method:
    if not isinstance(method, str):
        if settings:
            raise ConfigError(
                "gradients", f"{', '.join(settings)} beside a method that is made", "", "Give them to the method"
            )
        return method
    for name in settings:
        if name not in SETTINGS:
            near = did_you_mean(name, SETTINGS)
            raise ConfigError("gradients", f"unknown setting '{name}'", f"Known are {', '.join(SETTINGS)}", near)
    base = TaskRun(training=Learning(k1=steps, spacing=1))
    # checked by type as those of the command line are
    return names.method(override(base, "gradients", {"gradient": method, **settings}).training)


def _check_inputs(inputs: Tensor) -> None:
    if not torch.is_grad_enabled():
        raise ConfigError("gradients", "torch.no_grad() is in force", "Gradients need a graph", "Call it outside")
    if not isinstance(inputs, Tensor):
        raise ConfigError("inputs", f"a {type(inputs).__name__}", "They are a tensor (T, B, ...): steps, rows")
    if inputs.dim() < 2 or 0 in inputs.shape[:2]:
        raise ConfigError(
            "inputs", f"shape {tuple(inputs.shape)}", "They are (T, B, ...): steps, rows, at least one of each"
        )


def _check(steps: Steps, module: nn.Module, way: Method) -> None:
    for name, part in zip(steps._fields, steps, strict=True):
        if part is not None and part.shape[:2] != steps.inputs.shape[:2]:
            got, wanted = tuple(part.shape), tuple(steps.inputs.shape[:2])
            raise ConfigError(name, f"shape {got}", f"It begins with {wanted}, steps and rows, as the inputs do")
    try:
        signature(module.forward).bind(steps.inputs, None)
    except TypeError:
        got = f"a {type(module).__name__}, which does not take (inputs, state)"
        raise ConfigError("gradients", got, "A module over time returns (outputs, state)", "Wrap it") from None
    if not any(p.requires_grad for p in module.parameters()):
        raise ConfigError("gradients", "a module whose weights all stay", "At least one parameter wants a gradient", "")
    if getattr(module, "batch_first", False):
        raise ConfigError("gradients", "a module with batch_first", "Inputs are (T, B, ...): steps, rows")
    if getattr(module, "bidirectional", False) and not isinstance(way, Full):
        raise ConfigError(
            "gradients", "two directions", "One of them begins at the end of all steps", "Use method='full'"
        )
