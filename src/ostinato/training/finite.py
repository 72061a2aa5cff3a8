"""Losses and gradients that are not finite: seen before they reach the weights, and traced to a row and a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.training.gradient import Backward, Method, State, Window, leaves_of
from ostinato.training.gradient.rows import count_rows, rows_of, rows_of_state
from ostinato.training.meter import NonFiniteError
from ostinato.training.processes import Processes


@dataclass(frozen=True)
class Attempt:
    """What an update is made from, kept until its loss and gradient are known to be finite."""

    segment: Any
    window: Window
    state: State
    random: Tensor
    """State of torch's generator before the loss."""


@dataclass(frozen=True)
class Fault:
    """Where a loss or gradient that is not finite comes from; None for what could not be told."""

    what: str
    """As "the loss is nan"."""
    window: Window
    row: int | None
    parameter: str | None

    def described(self, row_name: str) -> str:
        """Return it in words, with where it comes from."""
        return self.what + self.origin(row_name)

    def origin(self, row_name: str) -> str:
        """Return where it comes from; `row_name` is "lane" where windows follow one another, else as "sequence"."""
        where = [] if self.row is None else [f"{row_name} {self.row}"]
        if row_name == "lane":
            where.append(f"steps {self.window.position} to {self.window.position + self.window.length - 1}")
        if self.parameter is not None:
            where.append(f"the first gradient that is not finite is that of {self.parameter}")
        return f" ({', '.join(where)})" * bool(where)


def trace(method: Method, model: nn.Module, attempt: Attempt, backward: Backward, nats: Tensor, norm: Tensor) -> Fault:
    """Take the gradient of an attempt again, whole and then row by row, and return what is first at fault.

    No gradient is left, and torch's generator stands where it stood. Costs a few updates for each row.
    """
    loss, random = float(nats), torch.get_rng_state()
    what = f"the gradient norm is {float(norm)}" if math.isfinite(loss) else f"the loss is {loss}"
    _again(method, model, attempt, backward)
    parameter = bad_gradient(model)
    rows = range(count_rows(attempt.segment))
    row = next((row for row in rows if _is_at_fault(row, method, model, attempt, backward)), None)
    model.zero_grad()
    torch.set_rng_state(random)
    return Fault(what, attempt.window, row, parameter)


def late_origin(model: nn.Module, window: Window, row_name: str) -> Callable[[], str]:
    """Return what tells where a fault came from, when its step is read later; nothing is waited for now."""
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    names = list(found)  # the gradients themselves would stay in memory
    norms = [torch.linalg.vector_norm(gradient) for gradient in found.values()]

    def origin() -> str:
        bad = next((name for name, norm in zip(names, norms, strict=True) if not is_finite(norm)), None)
        return Fault("", window, None, bad).origin(row_name)

    return origin


def found_by_any(fault: Fault, first_row: int, processes: Processes) -> Fault:
    """Return the fault with the row and parameter of the first process that found them; `first_row` is this one's."""
    row, parameter = None if fault.row is None else fault.row + first_row, fault.parameter
    found = processes.first_found(None if row is None and parameter is None else [row, parameter]) or [None, None]
    return replace(fault, row=found[0], parameter=found[1])


def refusal(fault: Fault, row_name: str, step: int, saved: int | None) -> NonFiniteError:
    """Return the error that ends a run; `saved` is the step of its last checkpoint."""
    return NonFiniteError(
        f"step {step}",
        fault.described(row_name),
        "That update was not made. "
        + ("No checkpoint was written yet" if saved is None else f"The checkpoint of step {saved} is kept"),
        "Go on with --resume --on-nan skip, or begin anew with a smaller --learning-rate or --clip-norm",
    )


def refuse_bad_weights(model: nn.Module, step: int) -> None:
    """Raise NonFiniteError where a weight is not finite: a checkpoint holds weights that one can go on with."""
    for name, parameter in model.named_parameters():
        if not is_finite(parameter):
            kept = "The checkpoint before it is kept"
            raise NonFiniteError(f"step {step}", f"{name} is not finite", kept, "Begin anew with a smaller rate")


def unspoilt(state: State) -> State:
    """Return the state, or None, with which all rows begin anew, where a number in it is not finite."""
    return state if all(map(is_finite, leaves_of(state))) else None


def bad_gradient(model: nn.Module) -> str | None:
    """Return the name of the first parameter whose gradient is not finite, or None."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not is_finite(parameter.grad):
            return name
    return None


def is_finite(tensor: Tensor) -> bool:
    """Whether every number is finite."""
    return bool(torch.isfinite(tensor).all())


def _is_at_fault(row: int, method: Method, model: nn.Module, attempt: Attempt, backward: Backward) -> bool:
    segment, state = rows_of(attempt.segment, row, row + 1), rows_of_state(attempt.state, row, row + 1)
    loss = _again(method, model, Attempt(segment, attempt.window, state, attempt.random), backward)
    return not math.isfinite(loss) or bad_gradient(model) is not None


def _again(method: Method, model: Any, attempt: Attempt, backward: Backward) -> float:
    model.zero_grad()
    torch.set_rng_state(attempt.random)
    return float(method.accumulate(model, attempt.segment, attempt.window, attempt.state, backward)[0])
